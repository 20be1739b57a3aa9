using System.CommandLine;
using System.Runtime.InteropServices;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;

namespace R1Serverless.Commands;

/// <summary><c>r1 chat</c>: one question, or a conversation, in the terminal.</summary>
internal static class ChatCommand
{
    private const int Failed = 1, Interrupted = 130;

    private static readonly Argument<string?> Message = new("prompt")
    {
        Description = "What to ask. Without it, a conversation: one message a line; /clear begins anew, /exit ends.", Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<Uri?> Url = new("--url")
    {
        Description = $"The server to ask. [default: {ListenAddresses.Default} if a server answers there, else the model runs in this process]",
        CustomParser = TextOption.Address,
    };

    private static readonly Option<string> Model =
        new("--model") { Description = "The model's name.", DefaultValueFactory = _ => ShippedModels.Nano };
    private static readonly Option<string?> Precision =
        CommonOptions.Precision("The variant that answers; auto lets the measurements choose. [default: the server's own, or here auto]", null);
    private static readonly Option<float?> Temperature =
        NumberOption.Bound(new Option<float?>("--temperature") { Description = "0 (always the likeliest token) to 2. [default: the model's own]" },
            0, 2);
    private static readonly Option<string?> System = new("--system") { Description = "A system message before the conversation." };

    /// <param name="load">Loads the model where there is no server.</param>
    public static Command Create(ModelLoader load)
    {
        Command command = new("chat", "Ask a model in the terminal.")
        {
            Message, Url, Model, Precision, Temperature, System, CommonOptions.ServerKey,
        };
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, load, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, ModelLoader load, CancellationToken cancellation)
    {
        var model = arguments.GetRequiredValue(Model);
        var preference = ReadWish(arguments.GetValue(Precision));
        var key = CommonOptions.ReadServerKey(arguments);
        await using var source = arguments.GetValue(Url) is { } url
            ? InferenceSource.Server(url, key, model)
            : await InferenceSource.ServerOrLocalAsync(
                key, new ServeOptions { Models = [model], Precision = preference.Named, Runtime = DeviceOption.Read(arguments) }, load,
                Console.Error, cancellation);
        var isTerminal = !Console.IsOutputRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        ChatScreen screen = new(Console.Out, isTerminal);
        SamplingOptions sampling = new() { Temperature = arguments.GetValue(Temperature) };
        Conversation conversation = new(source.Inference, source.Model, arguments.GetValue(System), sampling, screen, preference);

        using StopSignal signal = new();
        if (arguments.GetValue(Message) is not { } message) return await ConverseAsync(conversation, screen, Console.In, signal);
        using (signal.Begin(out var stop))
        {
            if (await conversation.AskAsync(message, stop) is { } error) return Fail(error);
            return stop.IsCancellationRequested ? Interrupted : 0;
        }
    }

    /// <param name="precision">What the command line says; null where it says nothing, so that a server's default counts.</param>
    internal static PrecisionPreference ReadWish(string? precision) =>
        precision is null ? new() { IsServerDefault = true } : new(PrecisionName.Find(precision));

    /// <summary>One message a line until /exit or the input's end. A failure is said, and the conversation goes on; it decides the exit code where
    /// nobody watches.</summary>
    internal static async Task<int> ConverseAsync(Conversation conversation, ChatScreen screen, TextReader input, StopSignal signal)
    {
        var code = 0;
        while (true)
        {
            screen.Invite();
            switch ((await input.ReadLineAsync())?.Trim())
            {
                case null or "/exit":
                    return code;
                case "":
                    break;
                case "/clear":
                    conversation.Clear();
                    screen.Note("Begun anew.");
                    break;
                case var message:
                    using (signal.Begin(out var stop))
                    {
                        if (await conversation.AskAsync(message, stop) is { } error) code = Fail(error);
                    }

                    break;
            }
        }
    }

    private static int Fail(InferenceError error)
    {
        Console.Error.WriteLine($"error: {error.Message}");
        return Failed;
    }

    /// <summary>Ctrl-C: while an answer runs it stops the answer; otherwise it ends the program, as ever.</summary>
    internal sealed class StopSignal : IDisposable
    {
        private readonly PosixSignalRegistration _registration;
        private CancellationTokenSource? _answer;

        public StopSignal() => _registration = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);

        /// <summary>An answer begins; disposing ends it.</summary>
        public IDisposable Begin(out CancellationToken stop)
        {
            CancellationTokenSource answer = new();
            Volatile.Write(ref _answer, answer);
            stop = answer.Token;
            return new Answer(this, answer);
        }

        public void Dispose() => _registration.Dispose();

        private void Interrupt(PosixSignalContext context)
        {
            if (Volatile.Read(ref _answer) is not { } answer) return;
            context.Cancel = true;
            answer.Cancel();
        }

        private sealed class Answer(StopSignal owner, CancellationTokenSource source) : IDisposable
        {
            // The source holds no timer and no handle, so it isn't disposed: the signal may come on another thread at this moment.
            public void Dispose() => Interlocked.CompareExchange(ref owner._answer, null, source);
        }
    }
}
