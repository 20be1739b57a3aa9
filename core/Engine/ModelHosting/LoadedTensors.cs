using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Encoders;
using R1Serverless.Engine.Images;
using R1Serverless.Engine.Steps;
using R1Serverless.Engine.Tensors;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Images;
using R1Serverless.Models.Layouts;
using R1Serverless.Scheduling.Tensors;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>A loaded variant of a model that is no decoder, with its engine.</summary>
internal sealed class LoadedTensors : LoadedVariant
{
    private static readonly TensorRunLimits Limits = new();

    private readonly TensorGraph _graph;
    private readonly TensorBatching _batching;

    private LoadedTensors(ModelFolder folder, ModelVariant variant, EncoderText? text, TensorGraph graph, TensorBatching batching,
        LaneLayout layout, EngineOptions options, TimeProvider time)
        : base(folder, variant, layout.Provider)
    {
        (_graph, _batching, Text) = (graph, batching, text);
        Engine = new TensorEngine(layout.Session, batching, Limits, layout.Lanes, options.MaxWaiting, folder.Name, time);
    }

    public override EngineLoad Load => Engine.Load;

    public TensorEngine Engine { get; }

    internal override EncoderText? Text { get; }

    public override string? TextRefusal => Text?.Refusal ?? Folder.EncoderRefusal;

    public override TensorSignature? Signature => ImageSettings.Mark(
        _graph.Signature with { IsBatched = _batching.Reason is null, NotBatched = _batching.Reason }, Folder.Images);

    /// <summary>Loads and warms a variant. Blocks for as long as that takes.</summary>
    /// <exception cref="ModelLoadException">The graph can't be loaded.</exception>
    /// <exception cref="InvalidModelException">The graph is damaged.</exception>
    public static OpenedVariant OpenTensors(ModelFolder folder, ModelVariant variant, RuntimeOptions runtime, EngineOptions options,
        TimeProvider time)
    {
        var began = time.GetTimestamp();
        var graph = TensorGraph.Read(folder.GraphPath(variant));
        var layout = LaneLayout.Open(folder, variant, graph, TensorRuntime.Of(folder, variant, runtime));
        var loaded = time.GetTimestamp();
        try
        {
            // Whatever else is left out: which requests may share a run must be known before the first.
            var batching = BatchProbe.Run(graph, layout.Session, time);
            if (options.WarmsUp && batching.Reason is null) layout = layout.Measured(graph, batching, time);
            if (options.WarmsUp && folder.Images is { } images) ImageReading.Warm(images, TensorGraph.TypeOf(graph.Inputs[0]));
            var warmed = time.GetTimestamp();
            return new OpenedVariant(
                text => new LoadedTensors(folder, variant, (EncoderText?)text, graph, batching, layout, options, time)
                {
                    LoadTime = time.GetElapsedTime(began, loaded),
                    WarmupTime = time.GetElapsedTime(loaded, warmed),
                    SessionAt = loaded,
                    WarmAt = warmed,
                    IsPrepared = layout.Session.IsPrepared,
                    PreparedRefusal = layout.PreparedRefusal,
                },
                layout.Session.Dispose);
        }
        catch
        {
            layout.Session.Dispose();
            throw;
        }
    }

    /// <summary>Gives a request's inputs in the graph's order, or its images as they came, or says what is wrong with them.</summary>
    public InferenceError? TryRead(Prompt.Tensors prompt, out IReadOnlyList<Tensor> inputs) =>
        AreImages(Folder, prompt.Inputs) ? TensorChecks.TryTakeImages(_graph, prompt, out inputs)
        : prompt.Inputs is [{ Type: TensorType.Bytes } texts] && Folder.ImageRefusal is { } refusal
            && _graph.Inputs.Any(input => input.Name == texts.Name && TensorGraph.TypeOf(input) != TensorType.Bytes)
        ? TensorChecks.RefuseImages(Folder.Name, texts, refusal, out inputs)
        : TensorChecks.TryOrder(_graph, _batching.Reason is null, prompt, out inputs);

    /// <summary>Runs the inputs of a request; the outputs are in the graph's order.</summary>
    /// <param name="inputs">What <see cref="TryRead"/> gave.</param>
    /// <param name="read">Gives the row of an image that was read already, by its number; else null.</param>
    public async Task<(IReadOnlyList<Tensor> Outputs, InferenceError? Error)> RunAsync(IReadOnlyList<Tensor> inputs, int priority,
        Func<int, Tensor?> read, CancellationToken cancellationToken)
    {
        if (!AreImages(Folder, inputs)) return await Engine.RunAsync(inputs, priority, cancellationToken);
        var (rows, error) = await RunAsync(Images(Folder, inputs), priority, _ => $"inputs.{inputs[0].Name}", read, cancellationToken);
        if (error is null && rows.Sum(row => row.Sum(output => (long)output.Data.Length)) > Limits.MaxOutputBytes)
            error = OutputLimitException.Error(Limits.MaxOutputBytes);
        return error is null ? ImageRuns.Stack(rows) : ([], error);
    }

    /// <summary>Runs encoded images; of each, the outputs in the graph's order.</summary>
    /// <param name="field">Names an image by its number in an error.</param>
    /// <param name="read">Gives the row of an image that was read already, by its number; else null.</param>
    public Task<(IReadOnlyList<Tensor>[] Rows, InferenceError? Error)> RunAsync(
        IReadOnlyList<ReadOnlyMemory<byte>> images, int priority, Func<int, string> field, Func<int, Tensor?> read,
        CancellationToken cancellationToken) =>
        new ImageRuns(Folder.Images!, TensorGraph.TypeOf(_graph.Inputs[0]), Engine, row => TryRead(new Prompt.Tensors([row]), out _))
            .RunAsync(images, priority, field, read, cancellationToken);

    /// <summary>Runs a request's texts; the outputs are those that <see cref="Prompt.Texts"/> names.</summary>
    public Task<(IReadOnlyList<Tensor> Outputs, InferenceError? Error)> RunAsync(EncodedTexts texts, Prompt.Texts prompt,
        CancellationToken cancellationToken)
    {
        var settings = Folder.Encoder!;
        var output = _graph.Outputs.ToList().FindIndex(one => one.Name == settings.Output);
        return TextRuns.RunAsync(texts, prompt, settings, Engine, _graph.Signature, output, cancellationToken);
    }

    /// <summary>The encoded images of a request that come in the place of its tensors; empty where none do.</summary>
    public static IReadOnlyList<ReadOnlyMemory<byte>> Images(ModelFolder folder, IReadOnlyList<Tensor> inputs)
    {
        List<ReadOnlyMemory<byte>> images = [];
        if (!AreImages(folder, inputs)) return images;
        for (var rest = inputs[0].Data; rest.Length > 0;) images.Add(ByteElements.Take(ref rest));
        return images;
    }

    private static bool AreImages(ModelFolder folder, IReadOnlyList<Tensor> inputs) =>
        inputs is [{ Type: TensorType.Bytes } only] && only.Name == folder.Images?.Input;

    /// <summary>The outputs that a request asks for, in its order; all of them where it names none.</summary>
    public static IReadOnlyList<Tensor> Select(IReadOnlyList<Tensor> outputs, IReadOnlyList<string> names) =>
        names.Count == 0 ? outputs : [.. names.Select(name => outputs.First(output => output.Name == name))];

    public override ValueTask DisposeAsync() => Engine.DisposeAsync();
}
