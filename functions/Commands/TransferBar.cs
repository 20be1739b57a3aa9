using R1Serverless.ModelRegistry;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>Shows how far a push or a fetch is.</summary>
internal static class TransferBar
{
    public static async Task<T> RunAsync<T>(string what, Func<IProgress<Transferred>, Task<T>> transfer)
    {
        T result = default!;
        await AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(), new TransferSpeedColumn(),
            new RemainingTimeColumn())
            .StartAsync(async context => result = await transfer(new Bar(context.AddTask(Markup.Escape(what)))));
        return result;
    }

    private sealed class Bar(ProgressTask task) : IProgress<Transferred>
    {
        public void Report(Transferred value) => (task.MaxValue, task.Value) = (Math.Max(1, value.Total), value.Done);
    }
}
