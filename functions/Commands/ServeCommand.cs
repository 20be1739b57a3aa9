using System.CommandLine;
using System.Globalization;
using R1Serverless.Hosting;
using R1Serverless.Requests;
using R1Serverless.Runtime;
using R1Serverless.Triggers;

namespace R1Serverless.Commands;

/// <summary><c>r1 serve</c>: the OpenAI API over the models of this machine.</summary>
internal static class ServeCommand
{
    private const string UrlsVariable = "ASPNETCORE_URLS";
    private const long LeastMemory = 1L << 20;

    private static readonly Option<string?> Urls = new("--urls")
    {
        Description = $"Addresses to listen on, separated by ';' (also {UrlsVariable}). Others than loopback need an API key. [default: {ListenAddresses.Default}]",
    };

    private static readonly Option<string[]> Models = new("--model")
    {
        Description = "A model's name in the repository, or its folder; may be given several times. [default: r1-nano, which comes with r1]",
    };

    private static readonly Option<string?> ModelsFrom = RepositoryOption.Create("--models-from", "The repository that --model names are of; without --model, every model that has an active version there is served");

    private static readonly Option<int> ModelsPoll = Bounded("--models-poll", 10, 1, 3600, "Seconds between two looks at which versions are active there.");

    private static readonly Option<string[]> Load = new("--load")
    {
        Description = "What to load at the start: MODEL or MODEL:PRECISION of those served; may be given several times. Others are loaded when they are asked for. [default: the first model, in the precision that a request gets which names none]",
    };

    private static readonly Option<string?> Precision = PrecisionOption.Create("The precision for requests that name none; auto lets the measurements choose.");

    private static readonly Option<string?> Memory = Size(
        "--memory", "Memory that all loaded variants may take together, keys and values included, such as 8GiB; the least recently used leave for others. [default: three quarters of what this process may use]");

    private static readonly Option<string?> Data = DataOption.Create();

    private static readonly Option<string?> KeyValueMemory = Size(
        "--kv-memory", "Memory for the keys and values of each loaded variant, such as 512MB or 4GB: more means more answers at once. [default: a sixth of --memory]");

    private static readonly Option<int> MaxWaiting = Bounded(
        "--max-waiting", 1024, 1, 1_000_000, "Requests that may wait for a slot, per variant of a model; beyond that clients get 429.");

    private static readonly Option<int> Threads = Bounded("--threads", 0, 0, 1024, "Threads of one step of a model, never more than it has heads; 0 means one for each core.");

    private static readonly Option<bool> NoPrewarm = new("--no-prewarm") { Description = "Take requests in as soon as the models are loaded: the first ones pay for what dummy runs would have warmed." };

    private static readonly Option<bool> NoPrepared = new("--no-prepared") { Description = "Load the plain models, whatever `r1 model prepare` has made." };

    private static readonly Option<int> Grace = Bounded("--grace", 30, 0, 3600, "Seconds that running answers may take to finish after the signal to stop.");

    private static readonly Option<int> MaxBody = Bounded("--max-body", 4, 1, 1024, "The largest request body in MiB; beyond that clients get 413.");

    private static readonly Option<string> Role = CreateRole();

    /// <param name="load">Loads the models, beside the web server's start.</param>
    /// <param name="host">The Azure Functions host, where it started this process.</param>
    public static Command Create(ModelLoader load, FunctionsHost? host = null)
    {
        Command command = new("serve", "Serve models with the OpenAI API (what r1 does without a verb).")
        {
            Role, Urls, Models, ModelsFrom, ModelsPoll, CacheOption.Size, Load, Precision, Data, Memory, KeyValueMemory, MaxWaiting, Threads, NoPrewarm, NoPrepared, Grace, MaxBody,
        };
        AccessOption.AddTo(command);
        TransportOption.AddTo(command);
        RequestLimits.AddTo(command);
        MonitoringOption.AddTo(command);
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(
            () => RunAsync(MonitoringOption.Read(arguments, RequestLimits.Read(arguments, AccessOption.Read(arguments, Located(arguments, Read(arguments, host is not null))))), load, host, cancellation)));
        return command;
    }

    /// <summary>A gateway has no models, whatever its environment says to workers.</summary>
    private static ServeOptions Located(ParseResult arguments, ServeOptions options) =>
        options.Role == ServeRole.Gateway && arguments.GetValue(ModelsFrom) is null ? options : options with { ModelsFrom = RepositoryOption.Find(arguments, ModelsFrom) };

    private static async Task<int> RunAsync(ServeOptions options, ModelLoader load, FunctionsHost? host, CancellationToken cancellationToken)
    {
        string? wrong = ListenAddresses.Refusal(options.Urls, options.AreKeysRequired) ?? Refusal(options) ?? RequestLimits.Refusal(options) ?? Transports.Refusal(options.Transport) ?? options.Monitoring.Refusal;
        if ((wrong ?? await AccessOption.RefusalAsync(options, cancellationToken)) is { } refusal)
        {
            await Console.Error.WriteLineAsync($"r1: {refusal}");
            return 1;
        }

        // Beside the web server's own start; a gateway never needs it.
        Task library = options.Role == ServeRole.Gateway ? Task.CompletedTask : OrtLibrary.LoadAsync();
        try
        {
            WebApplication app = host is not null
                ? FunctionsApp.Build(options, host, load, TimeProvider.System, Console.Out, Console.Error)
                : ServeHost.Build(options, load, TimeProvider.System, Console.Out, Console.Error);
            return await ServeHost.RunAsync(app, Console.Error);
        }
        finally
        {
            await library;
        }
    }

    private static ServeOptions Read(ParseResult arguments, bool isBehindHost)
    {
        // What the host's environment names is the host's own; the worker's address is between the two of them.
        string urls = isBehindHost ? ListenAddresses.Default : arguments.GetValue(Urls) ?? Set(UrlsVariable) ?? ListenAddresses.Default;
        return new ServeOptions
        {
            Role = RoleName.Parse(arguments.GetRequiredValue(Role)),
            Transport = TransportOption.Read(arguments, arguments.GetValue(Data)),
            Urls = ListenAddresses.Split(urls),
            IsBehindHost = isBehindHost,
            Models = arguments.GetValue(Models) ?? [],
            ModelsPoll = TimeSpan.FromSeconds(arguments.GetValue(ModelsPoll)),
            ModelCacheBytes = CacheOption.Read(arguments),
            Load = arguments.GetValue(Load) ?? [],
            Precision = PrecisionName.Find(arguments.GetRequiredValue(Precision)!),
            MemoryBytes = arguments.GetValue(Memory) is { } memory ? MemorySize.Parse(memory) : null,
            DataFolder = arguments.GetValue(Data),
            KeyValueMemoryBytes = arguments.GetValue(KeyValueMemory) is { } size ? MemorySize.Parse(size) : null,
            MaxWaiting = arguments.GetValue(MaxWaiting),
            Runtime = DeviceOption.Read(arguments, arguments.GetValue(Threads)) with { UsePrepared = !arguments.GetValue(NoPrepared) },
            Prewarms = !arguments.GetValue(NoPrewarm),
            Grace = TimeSpan.FromSeconds(arguments.GetValue(Grace)),
            MaxBodyBytes = arguments.GetValue(MaxBody) << 20,
        };
    }

    private static string? Refusal(ServeOptions options) => options.Role == ServeRole.Gateway && (options.Models.Count > 0 || options.Load.Count > 0 || options.ModelsFrom is not null)
        ? "A gateway loads no models: give --model, --models-from and --load to the workers."
        : null;

    private static Option<string> CreateRole()
    {
        Option<string> role = new("--role")
        {
            Description = "all: everything in this process. gateway: takes requests and puts them into the queue, without a model. worker: works off the queue with its models.",
            DefaultValueFactory = _ => RoleName.Of(ServeRole.All),
        };
        role.AcceptOnlyFromAmong([.. RoleName.All]);
        return role;
    }

    private static string? Set(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;

    private static Option<string?> Size(string name, string description)
    {
        Option<string?> option = new(name) { Description = description };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && !(MemorySize.Parse(text) >= LeastMemory))
            {
                result.AddError($"{name}: '{text}' is not a size such as 512MB or 4GB, at least 1MB.");
            }
        });
        return option;
    }

    private static Option<int> Bounded(string name, int usual, int least, int most, string description) => NumberOption.Bound(
        new Option<int>(name)
        {
            Description = string.Create(CultureInfo.InvariantCulture, $"{description} ({least} to {most})"), HelpName = "N", DefaultValueFactory = _ => usual,
        },
        least,
        most);
}
