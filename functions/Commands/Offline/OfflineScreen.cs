using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace R1Serverless.Commands.Offline;

/// <summary>Shows how far a run is, on the error stream: a bar on a terminal, a line every few seconds elsewhere.</summary>
internal sealed class OfflineScreen(TextWriter errors, bool isTerminal, TimeProvider time)
{
    private static readonly TimeSpan BarInterval = TimeSpan.FromMilliseconds(200), LineInterval = TimeSpan.FromSeconds(5);

    private readonly long _begun = time.GetTimestamp();

    /// <summary>Shows the progress of some work until it ends, well or not.</summary>
    public async Task WatchAsync(Func<OfflineProgress> progress, Task work)
    {
        if (isTerminal)
        {
            await TableConsole.Create(isJson: true).Progress()
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(),
                new TextColumn(() => Describe(progress(), time.GetElapsedTime(_begun))))
                .StartAsync(context => BarAsync(context.AddTask("requests"), progress, work));
        }
        else
        {
            while (await Task.WhenAny(work, Task.Delay(LineInterval, time)) != work)
                await errors.WriteLineAsync(Describe(progress(), time.GetElapsedTime(_begun)));
        }
    }

    /// <summary>Such as <c>120 of 300, 2 failed, 5,321 tokens/s, 0:42 left</c>.</summary>
    public static string Describe(OfflineProgress now, TimeSpan elapsed)
    {
        var seconds = Math.Max(elapsed.TotalSeconds, 0.001);
        var failed = now.Failed > 0 ? string.Create(CultureInfo.InvariantCulture, $", {now.Failed:N0} failed") : "";
        var left = now.Ended > 0 ? $", {Clock(TimeSpan.FromSeconds((now.Total - now.Done) * seconds / now.Ended))} left" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{now.Done:N0} of {now.Total:N0}{failed}, {now.Tokens / seconds:N0} tokens/s{left}");
    }

    private static string Clock(TimeSpan left) =>
        left.ToString(left.TotalDays >= 1 ? @"d\.hh\:mm\:ss" : left.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture);

    private async Task BarAsync(ProgressTask bar, Func<OfflineProgress> progress, Task work)
    {
        bool isLast;
        do
        {
            isLast = await Task.WhenAny(work, Task.Delay(BarInterval, time)) == work;
            var now = progress();
            bar.MaxValue = Math.Max(1, now.Total);
            bar.Value = now.Done;
        }
        while (!isLast);
    }

    private sealed class TextColumn(Func<string> text) : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) => new Text(text());
    }
}
