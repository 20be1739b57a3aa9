using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>Where a benchmark's tables go, and what it says while it measures.</summary>
internal static class BenchConsole
{
    /// <summary>A file or a pipe has no width of its own; the tables want this much.</summary>
    private const int TableWidth = 140;

    /// <param name="isJson">The output is for programs: what people read goes to the error stream.</param>
    public static IAnsiConsole Create(bool isJson)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(isJson ? Console.Error : Console.Out) });
        if (isJson ? Console.IsErrorRedirected : Console.IsOutputRedirected) console.Profile.Width = TableWidth;
        return console;
    }
}
