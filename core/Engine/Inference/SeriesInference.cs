using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Series;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Series;
using R1Serverless.Models.Series;
using R1Serverless.Scheduling.Series;

namespace R1Serverless.Engine.Inference;

/// <summary>Answers the events of series, whose windows and states it keeps. Requests of one series take turns; what is kept changes only when a
/// request has come to its end.</summary>
/// <param name="host">Has the variants.</param>
internal sealed class SeriesInference(ModelHost host)
{
    private readonly KeyedTurns<SeriesKey> _turns = new();
    private readonly Lock _gate = new();
    private readonly SeriesStore<HeldSeries> _store = new(host.Series, (long)(host.Series.TimeToLive.TotalSeconds * host.Time.TimestampFrequency));

    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, Prompt.Series prompt,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var arrived = host.Time.GetTimestamp();
        if (host.Find(request.Model) is var (folder, _) && folder.Series is null)
        {
            yield return new InferenceEvent.Failed(NoSeries(request.Model));
            yield break;
        }

        SeriesKey key = new(request.Model, request.Owner, prompt.Key);
        using var turn = await _turns.EnterAsync(key, cancellationToken);
        if (prompt.IsRemoval && host.Find(request.Model) is not null)
        {
            yield return new InferenceEvent.Decided(new SeriesAnswer { Key = prompt.Key, IsRemoved = Remove(key) });
            yield return new InferenceEvent.Finished(new Usage(0, 0, 0));
            yield break;
        }

        var placement = await host.PlaceAsync(request.Model, request.Precision, cancellationToken);
        using var lease = placement.Lease;
        if (lease?.Variant is not LoadedTensors variant || variant.Folder.Series is not { } settings)
        {
            yield return new InferenceEvent.Failed(placement.Error ?? NoSeries(request.Model));
            yield break;
        }

        yield return new InferenceEvent.Admitted(0, lease.Choice);
        var (answer, error) = await AnswerAsync(key, prompt, variant, settings, arrived, cancellationToken);
        if (answer is null)
        {
            yield return new InferenceEvent.Failed(error!);
            yield break;
        }

        yield return new InferenceEvent.Decided(answer);
        yield return new InferenceEvent.Finished(new Usage(0, 0, 0));
    }

    private static InferenceError NoSeries(string model) => new(
        InferenceErrorKind.InvalidRequest,
        $"'{model}' takes no series: its folder has no r1-series.json, and its graph no state that it gives and takes again.", "model");

    private bool Remove(SeriesKey key)
    {
        lock (_gate) return _store.Find(key, host.Time.GetTimestamp()) is not null && _store.Remove(key);
    }

    private async Task<(SeriesAnswer? Answer, InferenceError? Error)> AnswerAsync(SeriesKey key, Prompt.Series prompt, LoadedTensors variant,
        SeriesSettings settings, long arrived, CancellationToken cancellationToken)
    {
        var error = SeriesValues.TryRead(settings, prompt.Events, "values", out var events);
        IReadOnlyList<ReadOnlyMemory<byte>>? history = null;
        if (error is null && prompt.History is { } past) error = SeriesValues.TryRead(settings, past, "history", out history);
        if (error is not null) return (null, error);
        HeldSeries? held;
        lock (_gate) held = _store.Find(key, host.Time.GetTimestamp());
        var made = variant.Folder.GraphPath(variant.Variant);
        var shape = SeriesRun.ShapeOf(settings);
        var isUsable = held is not null && held.EventBytes == (shape?.EventBytes ?? 0) && (settings.States.Count == 0 || held.Made == made);
        var digest = SeriesValues.Digest(events);
        var verdict = SeriesRules.Judge(held?.Progress, isUsable, prompt.Sequence, events.Count, digest, history?.Count, out var first);
        var threshold = prompt.Threshold ?? settings.Score?.Threshold;
        if (verdict == SeriesVerdict.Repeat)
        {
            var passed = host.Time.GetElapsedTime(arrived);
            return (held!.Last with { IsRepeated = true, Threshold = threshold, Ran = default, Queued = passed, Total = passed }, null);
        }

        if (Refusal(verdict, first, held?.Progress) is { } refusal) return (null, refusal);
        SeriesRun run = new(settings, OutputsOf(prompt, variant, settings), (inputs, outputs, stop) => RunAsync(variant, inputs, outputs, stop));
        if (verdict == SeriesVerdict.Continue) run.Continue(held!);
        if (verdict == SeriesVerdict.Rebuild) error = await run.RebuildAsync(history!, first, cancellationToken);
        error ??= await run.DecideAsync(events, cancellationToken);
        // Whoever has gone sends the events again.
        cancellationToken.ThrowIfCancellationRequested();
        if (error is not null) return (null, error);
        var total = host.Time.GetElapsedTime(arrived);
        SeriesAnswer answer = new()
        {
            Key = prompt.Key,
            First = first,
            Next = run.Window.End,
            Decisions = run.Decisions,
            Threshold = threshold,
            Outputs = run.Outputs,
            Missing = shape is null ? 1 : run.Window.Missing(shape),
            Steps = shape is null ? 0 : run.Window.Events.Length / shape.EventBytes,
            IsRebuilt = verdict == SeriesVerdict.Rebuild,
            Queued = total > run.Ran ? total - run.Ran : default,
            Ran = run.Ran,
            Total = total,
        };
        SeriesProgress progress = new(run.Window.End, new SeriesRequest(first, events.Count, digest));
        HeldSeries next = new(progress, run.Window, shape?.EventBytes ?? 0, run.States, made, answer);
        lock (_gate) _store.Put(key, next, next.Bytes(key), host.Time.GetTimestamp());
        return (answer, null);
    }

    /// <summary>Why a request can't be taken, in words; null where it can.</summary>
    private static InferenceError? Refusal(SeriesVerdict verdict, long first, SeriesProgress? known) => verdict switch
    {
        SeriesVerdict.Missing when known is null => new(
            InferenceErrorKind.WindowMissing,
            $"The events before event {first} are not kept here (any more): send the request again with 'history', the values before it.",
            "history"),
        SeriesVerdict.Missing when first > known.Next => new(
            InferenceErrorKind.WindowMissing,
            $"Event {known.Next} is the next here, and event {first} came: send those between first, or the request again with 'history'.",
            "history"),
        SeriesVerdict.Missing => new(
            InferenceErrorKind.WindowMissing,
            "The model's variant has changed, and a state holds only for the one that made it: send the request again with 'history'.", "history"),
        SeriesVerdict.Passed => new(
            InferenceErrorKind.SequencePassed,
            $"The series is past event {first}; the next is {known!.Next}. Only the last request may come again, with the same values.",
            "sequence"),
        SeriesVerdict.TooMuchHistory => new(
            InferenceErrorKind.InvalidRequest, $"'history' has more events than the {first} that 'sequence' says came before.", "history"),
        _ => null,
    };

    /// <summary>Those that are asked for; all but the states where there is no score and nothing is.</summary>
    private static IReadOnlyList<string> OutputsOf(Prompt.Series prompt, LoadedTensors variant, SeriesSettings settings) =>
        prompt.Outputs.Count > 0 || settings.Score is not null ? prompt.Outputs
        : [.. variant.Signature!.Outputs.Select(output => output.Name).Where(name => settings.States.All(state => state.Output != name))];

    private static async Task<(IReadOnlyList<Tensor> Outputs, InferenceError? Error, TimeSpan Ran)> RunAsync(LoadedTensors variant,
        IReadOnlyList<Tensor> inputs, IReadOnlyList<string> outputs, CancellationToken cancellationToken)
    {
        if (variant.TryRead(new Prompt.Tensors(inputs) { Outputs = outputs }, out var ordered) is { } misfit) return ([], Renamed(misfit), default);
        var result = await variant.Engine.RunTimedAsync(ordered, 0, cancellationToken);
        return result.Error is { } error ? ([], Renamed(error), result.Ran) : (LoadedTensors.Select(result.Outputs, outputs), null, result.Ran);
    }

    /// <summary>The client's field for what the graph calls an input.</summary>
    private static InferenceError Renamed(InferenceError error) =>
        error.Field?.StartsWith("inputs", StringComparison.Ordinal) == true ? error with { Field = "values" } : error;
}
