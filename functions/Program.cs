using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using R1Serverless.Commands;
using R1Serverless.Commands.Offline;
using R1Serverless.Hosting;
using R1Serverless.ModelLoading;
using R1Serverless.Triggers;

const string Serve = "serve", Chat = "chat", Role = "--role";

// The Azure Functions host starts the gateway that it stands before.
var host = FunctionsHost.Find(args);
var worker = host is null ? null : FunctionsWorker.Start(host);
if (host is not null)
    args = [Serve, .. host.Arguments.Contains(Role) ? (string[])[] : [Role, "gateway"], .. host.Arguments.SkipWhile(one => one == Serve)];

// Without a verb r1 serves: `r1 --urls …` means `r1 serve --urls …`.
var arguments = args is [] || (args[0].StartsWith('-') && args[0] is not ("--help" or "-h" or "-?" or "--version")) ? [Serve, .. args] : args;
RootCommand root = new("R1Serverless: reasoning models behind the OpenAI API, in one executable.");
// A server that starts is waited for: it makes no other verb's options.
foreach (var verb in arguments[0] == Serve ? [ServeCommand.Create(LocalModels.LoadAsync, worker)] : Verbs()) root.Add(verb);
var command = root.Parse(arguments);

// The web host handles the signals of `serve` itself and drains, and Ctrl-C in `chat` stops an answer; the other verbs are simply cancelled.
var handlesSignals = command.CommandResult.Command.Name is Serve or Chat;
InvocationConfiguration configuration = new() { EnableDefaultExceptionHandler = false };
if (handlesSignals) configuration.ProcessTerminationTimeout = null;
if (command.Action is not ParseErrorAction refusal) return await command.InvokeAsync(configuration);

// A long list of options would push what is wrong off the screen; which verbs there are is told at once.
if (host is not null) Console.Error.WriteLine($"r1: the options in the app setting {FunctionsHost.OptionsVariable} can't be used:");
refusal.ShowHelp = command.CommandResult.Command.Subcommands.Count > 0;
var code = await command.InvokeAsync(configuration);
if (!refusal.ShowHelp) Console.Error.WriteLine($"`{Call(command.CommandResult)} --help` explains the options.");
return code;

static string Call(CommandResult result) => result.Parent is CommandResult parent ? $"{Call(parent)} {result.Command.Name}" : "r1";

static Command[] Verbs() =>
[
    ServeCommand.Create(LocalModels.LoadAsync),
    ChatCommand.Create(LocalModels.LoadAsync),
    RunBatchCommand.Create(LocalModels.LoadAsync),
    ModelCommand.Create(),
    DevicesCommand.Create(),
    HealthCommand.Create(),
    QueueCommand.Create(),
    KeysCommand.Create(),
    BenchCommand.Create(),
    VariantProbeCommand.Create(),
];
