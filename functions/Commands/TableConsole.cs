using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>Where a command's tables go, and what it says while it works.</summary>
internal static class TableConsole
{
    /// <param name="isJson">The output is for programs: what people read goes to the error stream.</param>
    /// <param name="width">That the tables want: a file or a pipe has none of its own.</param>
    public static IAnsiConsole Create(bool isJson, int width = 140)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(isJson ? Console.Error : Console.Out) });
        if (isJson ? Console.IsErrorRedirected : Console.IsOutputRedirected) console.Profile.Width = width;
        return console;
    }
}
