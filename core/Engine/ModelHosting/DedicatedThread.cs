namespace R1Serverless.Engine.ModelHosting;

/// <summary>Work that blocks for long, off the pool: the pool's threads are for what waits by awaiting.</summary>
internal static class DedicatedThread
{
    /// <summary>Runs <paramref name="work"/> on a thread of that name; the task ends with it, with its fault where it has one.</summary>
    public static Task<T> Start<T>(string name, Func<T> work)
    {
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(Run) { IsBackground = true, Name = name }.Start();
        return done.Task;

        void Run()
        {
            try
            {
                done.SetResult(work());
            }
            catch (Exception fault)
            {
                done.SetException(fault);
            }
        }
    }
}
