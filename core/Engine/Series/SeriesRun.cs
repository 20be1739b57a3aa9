using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Series;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Series;
using R1Serverless.Scheduling.Series;

namespace R1Serverless.Engine.Series;

/// <summary>Runs one row of a model: its inputs by name to the outputs that are named, in their order.</summary>
internal delegate Task<(IReadOnlyList<Tensor> Outputs, InferenceError? Error, TimeSpan Ran)> RowRunner(
    IReadOnlyList<Tensor> inputs, IReadOnlyList<string> outputs, CancellationToken cancellationToken);

/// <summary>Takes a request's events in, runs the windows that they fill, and decides by the score. Changes nothing that is kept.</summary>
/// <param name="outputs">What the answer gives beside the score.</param>
internal sealed class SeriesRun(SeriesSettings settings, IReadOnlyList<string> outputs, RowRunner run)
{
    /// <summary>Most runs that one request may make.</summary>
    private const int MaxRuns = 1024;

    /// <summary>Runs at once of windows that don't depend on each other: as many as a run of the engine takes in.</summary>
    private const int AtOnce = 64;

    private readonly string[] _wanted =
    [
        .. settings.States.Select(state => state.Output).Concat(settings.Score is { } score ? [score.Output] : []).Concat(outputs)
            .Distinct(StringComparer.Ordinal),
    ];

    /// <summary>As the events leave it.</summary>
    public SeriesWindow Window { get; private set; } = new(0, ReadOnlyMemory<byte>.Empty);

    public IReadOnlyList<Tensor> States { get; private set; } = [.. settings.States.Select(state => state.Initial)];

    public IReadOnlyList<SeriesDecision> Decisions { get; private set; } = [];

    /// <summary>Of the last decision.</summary>
    public IReadOnlyList<Tensor> Outputs { get; private set; } = [];

    public TimeSpan Ran { get; private set; }

    /// <summary>The same as the policy has it; null where each event is run by itself.</summary>
    public static WindowShape? ShapeOf(SeriesSettings settings) => settings.Window is { } window
        ? new WindowShape(window.Steps, window.Stride, window.Pad, settings.EventSize!.Value * TensorTypes.Size(settings.Type)) : null;

    /// <summary>Goes on from what is kept.</summary>
    public void Continue(HeldSeries held) => (Window, States) = (held.Window, settings.States.Count > 0 ? held.States : []);

    /// <summary>Begins with a history. Only a state needs runs for it.</summary>
    /// <param name="first">The number of the event after it.</param>
    public async Task<InferenceError?> RebuildAsync(IReadOnlyList<ReadOnlyMemory<byte>> history, long first, CancellationToken cancellationToken)
    {
        Window = new SeriesWindow(first - history.Count, ReadOnlyMemory<byte>.Empty);
        var full = Take(history);
        if (settings.States.Count == 0) return null;
        if (full.Count > MaxRuns)
            return new(InferenceErrorKind.InvalidRequest,
                $"'history' fills {full.Count} windows, and at most {MaxRuns} are run: send its end only, the events that fill the last {MaxRuns}.",
                "history");
        foreach (var window in full)
        {
            if (await RunOneAsync(window, isDecided: false, cancellationToken) is { } error) return error;
        }

        return null;
    }

    /// <summary>Takes the events in and decides.</summary>
    public async Task<InferenceError?> DecideAsync(IReadOnlyList<ReadOnlyMemory<byte>> events, CancellationToken cancellationToken)
    {
        var full = Take(events);
        if (full.Count > MaxRuns)
            return new(InferenceErrorKind.InvalidRequest,
                $"'values' fills {full.Count} windows; a request may have at most {MaxRuns}: send several.", "values");
        if (settings.States.Count == 0) return await RunAllAsync(full, cancellationToken);
        foreach (var window in full)
        {
            if (await RunOneAsync(window, isDecided: true, cancellationToken) is { } error) return error;
        }

        return null;
    }

    private IReadOnlyList<FullWindow> Take(IReadOnlyList<ReadOnlyMemory<byte>> events)
    {
        if (ShapeOf(settings) is { } shape)
        {
            var all = new byte[events.Count * (long)shape.EventBytes];
            for (var i = 0; i < events.Count; i++) events[i].CopyTo(all.AsMemory(i * shape.EventBytes));
            Window = Window.Append(shape, all, out var full);
            return full;
        }

        var first = Window.End;
        Window = Window with { End = first + events.Count };
        return [.. events.Select((one, i) => new FullWindow(first + i, one))];
    }

    private IReadOnlyList<Tensor> Inputs(FullWindow window)
    {
        var content = settings.Window is { } shape ? SeriesValues.Window(settings, shape, window.Content)
            : new Tensor(settings.Input, settings.Type, [1, .. SeriesValues.Shape(settings, window.Content.Length)], window.Content);
        return [content, .. States, .. settings.Constants];
    }

    private async Task<InferenceError?> RunOneAsync(FullWindow window, bool isDecided, CancellationToken cancellationToken)
    {
        var (all, error, ran) = await run(Inputs(window), _wanted, cancellationToken);
        Ran += ran;
        if (error is not null) return error;
        if (settings.States.Where((state, i) => all[i].Data.Length != state.Initial.Data.Length).FirstOrDefault() is { } odd)
            return new(InferenceErrorKind.InvalidRequest, $"The graph gives '{odd.Output}' in another shape than '{odd.Initial.Name}'.", "model");
        // Under the input's name.
        States = [.. settings.States.Select((state, i) => state.Initial with { Data = all[i].Data })];
        if (isDecided) Decisions = [.. Decisions, Decide(window, all)];
        return null;
    }

    private async Task<InferenceError?> RunAllAsync(IReadOnlyList<FullWindow> windows, CancellationToken cancellationToken)
    {
        List<SeriesDecision> decisions = [];
        foreach (var some in windows.Chunk(AtOnce))
        {
            var results = await Task.WhenAll(some.Select(window => run(Inputs(window), _wanted, cancellationToken)));
            Ran += results.Max(result => result.Ran);
            if (Array.Find(results, result => result.Error is not null) is { Error: { } error }) return error;
            decisions.AddRange(some.Select((window, i) => Decide(window, results[i].Outputs)));
        }

        Decisions = decisions;
        return null;
    }

    private SeriesDecision Decide(FullWindow window, IReadOnlyList<Tensor> all)
    {
        Outputs = [.. outputs.Select(name => all[Array.IndexOf(_wanted, name)])];
        if (settings.Score is not { } score) return new SeriesDecision(window.Event, null, null);
        var numbers = SeriesValues.Numbers(all[Array.IndexOf(_wanted, score.Output)]);
        var isSure = score.Labels.Count > 0 && score.Labels.Count == numbers.Length && !Array.Exists(numbers, double.IsNaN);
        var label = isSure ? score.Labels[Array.IndexOf(numbers, numbers.Max())] : null;
        return new SeriesDecision(window.Event, score.Index < numbers.Length ? numbers[score.Index] : null, label);
    }
}
