using System.CommandLine;
using R1Serverless.Commands;
using R1Serverless.Hosting;

RootCommand root = new("R1Serverless: reasoning models behind the OpenAI API, in one executable.")
{
    ServeCommand.Create(LocalModels.LoadAsync),
    ModelCommand.Create(),
};

// Without a verb r1 serves: `r1 --urls …` means `r1 serve --urls …`.
string[] arguments = args is [] || (args[0].StartsWith('-') && args[0] is not ("--help" or "-h" or "-?" or "--version")) ? ["serve", .. args] : args;
ParseResult command = root.Parse(arguments);

// The web host handles the signals of `serve` itself and drains; the other verbs are simply cancelled.
bool serves = command.CommandResult.Command.Name == "serve";
InvocationConfiguration configuration = new() { EnableDefaultExceptionHandler = false };
if (serves) configuration.ProcessTerminationTimeout = null;
return await command.InvokeAsync(configuration);

