namespace R1Serverless.Models;

/// <summary>The right to change what is kept of a model's evaluations: one holder at a time among all processes. Readers need none.</summary>
internal sealed class EvaluationLock : IDisposable
{
    /// <summary>Empty, and left where it is: who deleted it would take the lock from under those that have just opened it.</summary>
    public const string FileName = ".evaluation.lock";

    /// <summary>A change takes milliseconds: who waits for longer waits for something that hangs.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly FileStream _file;

    private EvaluationLock(FileStream file) => _file = file;

    /// <exception cref="IOException">It is not free for too long, or the folder can't be written.</exception>
    public static async Task<EvaluationLock> TakeAsync(string folder, TimeProvider time, CancellationToken cancellationToken)
    {
        var path = Path.Combine(folder, FileName);
        var began = time.GetTimestamp();
        while (true)
        {
            try
            {
                return new EvaluationLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0));
            }
            catch (IOException taken) when (taken is not (FileNotFoundException or DirectoryNotFoundException) && File.Exists(path))
            {
                if (time.GetElapsedTime(began) >= Patience)
                    throw new IOException($"The evaluations of {folder} can't be kept: another process has held {FileName} for {Patience.TotalSeconds:0} seconds.", taken);
            }

            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    public void Dispose() => _file.Dispose();
}
