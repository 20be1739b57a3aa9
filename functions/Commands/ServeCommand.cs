using System.CommandLine;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.Hosting;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;
using R1Serverless.Triggers;

namespace R1Serverless.Commands;

/// <summary><c>r1 serve</c>: the OpenAI API over the models of this machine.</summary>
internal static class ServeCommand
{
    private const string UrlsVariable = "ASPNETCORE_URLS", SizeExample = "512MB or 4GB, at least 1MB";
    private const long MinMemory = 1L << 20;

    private static readonly Option<string?> Urls = new("--urls")
    {
        Description =
            $"Addresses to listen on, separated by ';' (also {UrlsVariable}). Others than loopback need an API key. [default: "
            + $"{ListenAddresses.Default}]",
    };

    private static readonly Option<string?> Host = new("--host")
    {
        Description =
            "The address to listen on, instead of --urls: 0.0.0.0 for every network. Others than loopback need an API key. [default: 127.0.0.1]",
    };

    private static readonly Option<int?> Port = NumberOption.Bound(new Option<int?>("--port")
    {
        Description = "The port to listen on, instead of --urls; 0 takes a free one. (0 to 65535) [default: 7071]", HelpName = "N",
    }, 0, ushort.MaxValue);

    private static readonly Option<int?> GrpcPort = NumberOption.Bound(new Option<int?>("--grpc-port")
    {
        Description = "Also answer the Open Inference Protocol by gRPC, on this port of the same addresses; 0 takes a free one. (0 to 65535) "
            + "[default: no gRPC]", HelpName = "N",
    }, 0, ushort.MaxValue);

    private static readonly Option<string[]> Models = new("--model")
    {
        Description = "A model's name in the repository, or its folder; may be given several times. [default: r1-nano, which comes with r1]",
    };

    private static readonly Option<string?> ModelsFrom = CommonOptions.Repository("--models-from",
        "The repository that --model names are of; without --model, every model that has an active version there is served");

    private static readonly Option<int> ModelsPoll =
        NumberOption.Create("--models-poll", 10, 1, 3600, "Seconds between two looks at which versions are active there.");

    private static readonly Option<string[]> Load = new("--load")
    {
        Description = "What to load at the start: MODEL or MODEL:PRECISION of those served; may be given several times. Others are loaded when they "
            + "are asked for. [default: the first model, in the precision that a request gets which names none]",
    };

    private static readonly Option<string?> Precision =
        CommonOptions.Precision("The precision for requests that name none; auto lets the measurements choose.");

    private static readonly Option<long?> Memory = TextOption.Size("--memory", MinMemory, SizeExample,
        "Memory that all loaded variants may take together, keys and values included, such as 8GiB; the least recently used leave for others. "
        + "[default: three quarters of what this process may use]");

    private static readonly Option<long?> KeyValueMemory = TextOption.Size("--kv-memory", MinMemory, SizeExample,
        "Memory for the keys and values of each loaded variant, such as 512MB or 4GB: more means more answers at once. [default: a sixth of "
        + "--memory]");

    private static readonly Option<PrefixSharing> Sharing = new("--prefix-sharing")
    {
        Description = "Whose prompts that begin alike are computed once: key, those of one API key; all; off, nobody's. Who shares can tell by the "
            + "time to the first token that a prompt began like his own.",
        DefaultValueFactory = _ => PrefixSharing.Key, HelpName = "WHOM",
    };

    private static readonly Option<long?> PrefixFile = TextOption.Size("--prefix-file", MinMemory, SizeExample,
        "Keeps the computed beginnings of prompts on the disk as well, in DATA/prefixes, a file of this size for each loaded variant: they outlive "
        + "the process. [default: they don't]");

    private static readonly Option<int> Threads =
        NumberOption.Create("--threads", 0, 0, 1024, "Threads of one step of a model, never more than it has heads; 0 means one for each core.");

    private static readonly Option<bool> NoWarmup = new("--no-warmup")
    {
        Description = "Take requests in as soon as the models are loaded: the first ones pay for what dummy runs would have warmed.",
    };

    private static readonly Option<bool> NoPrepared =
        new("--no-prepared") { Description = "Load the plain models, whatever `r1 model prepare` has made." };

    private static readonly Option<int> Grace =
        NumberOption.Create("--grace", 30, 0, 3600, "Seconds that running answers may take to finish after the signal to stop.");

    private static readonly Option<int> MaxBody =
        NumberOption.Create("--max-body", 4, 1, 1024, "The largest request body in MiB; beyond that clients get 413.");

    private static readonly Option<bool> Metrics = new("--metrics")
    {
        Description =
            $"Answer GET /metrics in Prometheus's text form; where keys are needed, any will do (also {MonitoringOptions.MetricsVariable}=1). "
            + $"{MonitoringOptions.OtlpVariable} and {MonitoringOptions.AzureVariable} send metrics and traces away.",
    };

    private static readonly Option<string> Role = new("--role")
    {
        Description = "all: everything in this process. gateway: takes requests and puts them into the queue, without a model. worker: "
            + "processes the queue with its models.",
        DefaultValueFactory = _ => RoleName.Of(ServeRole.All),
    };

    static ServeCommand()
    {
        Role.AcceptOnlyFromAmong([.. RoleName.All]);
        Sharing.AcceptOnlyFromAmong("key", "all", "off");
    }

    /// <param name="load">Loads the models, beside the web server's start.</param>
    /// <param name="worker">Where the Azure Functions host started this process.</param>
    public static Command Create(ModelLoader load, FunctionsWorker? worker = null)
    {
        Command command = new("serve", "Serve models with the OpenAI API (what r1 does without a verb).")
        {
            Role, Host, Port, Urls, GrpcPort,
            Models, ModelsFrom, ModelsPoll, CommonOptions.ModelCacheSize, Load, Precision, CommonOptions.Data, Memory,
            KeyValueMemory, Sharing, PrefixFile, Threads, NoWarmup, NoPrepared, Grace, MaxBody, Metrics,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(Urls) is not null && (result.GetResult(Host) is not null || result.GetResult(Port) is not null))
                result.AddError("Give either --urls, or --host and --port.");
        });
        foreach (var option in AccessOption.All.Concat(RequestLimits.All)) command.Add(option);
        CorsOption.AddTo(command);
        TransportOption.AddTo(command);
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) =>
            PlainErrors.CatchAsync(() => RunAsync(Read(arguments, isBehindHost: worker is not null), load, worker, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ServeOptions options, ModelLoader load, FunctionsWorker? worker, CancellationToken cancellationToken)
    {
        var wrong = ListenAddresses.Refusal(options.Urls, options.AreKeysRequired) ?? CorsOption.Refusal(options) ?? Refusal(options)
            ?? RequestLimits.Refusal(options) ?? Transports.Refusal(options.Transport) ?? options.Monitoring.Refusal;
        if ((wrong ?? await AccessOption.RefusalAsync(options, cancellationToken)) is { } refusal)
        {
            await Console.Error.WriteLineAsync($"r1: {refusal}");
            return 1;
        }

        // Beside the web server's own start; a gateway never needs it.
        var library = options.Role == ServeRole.Gateway ? Task.CompletedTask : OrtLibrary.LoadAsync();
        try
        {
            var app = worker is not null
                ? worker.Build(options, load, TimeProvider.System, Console.Out, Console.Error)
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
        var urls = isBehindHost ? ListenAddresses.Default
            : arguments.GetValue(Host) is null && arguments.GetValue(Port) is null
            ? TextOption.Said(arguments, Urls, UrlsVariable) ?? ListenAddresses.Default
            : ListenAddresses.Of(arguments.GetValue(Host), arguments.GetValue(Port));
        var role = RoleName.Parse(arguments.GetRequiredValue(Role));
        ServeOptions options = new()
        {
            Role = role,
            Transport = TransportOption.Read(arguments, arguments.GetValue(CommonOptions.Data)),
            Urls = ListenAddresses.Split(urls),
            IsBehindHost = isBehindHost,
            Models = arguments.GetValue(Models) ?? [],
            // A gateway has no models, whatever its environment says to workers.
            ModelsFrom = role == ServeRole.Gateway && arguments.GetValue(ModelsFrom) is null ? null
                : CommonOptions.FindRepository(arguments, ModelsFrom),
            ModelsPoll = TimeSpan.FromSeconds(arguments.GetValue(ModelsPoll)),
            ModelCacheBytes = CommonOptions.ReadModelCache(arguments),
            Load = arguments.GetValue(Load) ?? [],
            Precision = PrecisionName.Find(arguments.GetRequiredValue(Precision)!),
            MemoryBytes = arguments.GetValue(Memory),
            DataFolder = arguments.GetValue(CommonOptions.Data),
            KeyValueMemoryBytes = arguments.GetValue(KeyValueMemory),
            PrefixSharing = arguments.GetValue(Sharing),
            PrefixFileBytes = arguments.GetValue(PrefixFile),
            Runtime = DeviceOption.Read(arguments, arguments.GetValue(Threads)) with { UsePrepared = !arguments.GetValue(NoPrepared) },
            WarmsUp = !arguments.GetValue(NoWarmup),
            Grace = TimeSpan.FromSeconds(arguments.GetValue(Grace)),
            MaxBodyBytes = arguments.GetValue(MaxBody) << 20,
            Monitoring = MonitoringOptions.Read(TextOption.Set, arguments.GetValue(Metrics)),
        };
        // What is no address is refused later, with words.
        if (arguments.GetValue(GrpcPort) is { } port && ListenAddresses.Refusal(options.Urls, hasKey: true) is null)
            options = options with { GrpcUrls = ListenAddresses.WithPort(options.Urls, port) };
        return CorsOption.Read(arguments, RequestLimits.Read(arguments, AccessOption.Read(arguments, options)));
    }

    private static string? Refusal(ServeOptions options) =>
        options.Role == ServeRole.Gateway && (options.Models.Count > 0 || options.Load.Count > 0 || options.ModelsFrom is not null)
        ? "A gateway loads no models: give --model, --models-from and --load to the workers."
        : options is { GrpcUrls.Count: > 0, IsBehindHost: true } ? "The Azure Functions host speaks no gRPC: leave --grpc-port out."
        : null;
}
