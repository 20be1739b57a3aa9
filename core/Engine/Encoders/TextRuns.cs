using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Tensors;
using R1Serverless.Models.Encoders;

namespace R1Serverless.Engine.Encoders;

/// <summary>Runs the texts of a request, each as a request of its own to the engine, which lets those of one length share a run.</summary>
internal static class TextRuns
{
    /// <summary>Texts of one request that wait at a time: many enough for full runs, few enough to leave the queue to others.</summary>
    private const int AtOnce = 128;

    /// <summary>One tensor: vectors [n, dimensions], or scores [n] or [n, labels], the labels behind them.</summary>
    /// <param name="output">The number of the graph's output that is used.</param>
    public static async Task<(IReadOnlyList<Tensor> Outputs, InferenceError? Error)> RunAsync(
        EncodedTexts encoded, Prompt.Texts prompt, EncoderSettings settings, TensorEngine engine, TensorSignature signature, int output,
        CancellationToken cancellationToken)
    {
        var rows = new float[encoded.Texts.Count][];
        InferenceError? error = null;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // Those of one length one behind the other, so that they wait at the same time.
        int[] order = [.. Enumerable.Range(0, rows.Length).OrderByDescending(i => encoded.Texts[i].Ids.Length)];
        try
        {
            await Parallel.ForEachAsync(order, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = stop.Token },
                async (i, token) =>
                {
                    var (outputs, fault) = await engine.RunAsync(EncodedTexts.Inputs(encoded.Texts[i], signature), 0, token);
                    fault = fault is null ? null : fault with { Field = fault.Field is null ? null : "input" };
                    if (fault is null) rows[i] = TextVectors.TryOf(outputs[output], settings, prompt, out fault)!;
                    if (fault is not null && Interlocked.CompareExchange(ref error, fault, null) is null) await stop.CancelAsync();
                });
        }
        catch (OperationCanceledException) when (error is not null)
        {
            // The fault says why.
        }

        return error is null ? TryTensors(rows, prompt.Task, settings) : ([], error);
    }

    /// <summary>The answer, if its rows are of one length.</summary>
    internal static (IReadOnlyList<Tensor> Outputs, InferenceError? Error) TryTensors(float[][] rows, TextTask task, OutputSettings settings)
    {
        var width = rows[0].Length;
        if (Array.Find(rows, row => row.Length != width) is { } other)
            return ([], new InferenceError(InferenceErrorKind.InvalidRequest,
                $"The graph gave {width} numbers for the first of these and {other.Length} for another: ask for them one by one.", "input"));
        var all = new byte[rows.Length * width * sizeof(float)];
        for (var i = 0; i < rows.Length; i++) MemoryMarshal.AsBytes<float>(rows[i]).CopyTo(all.AsSpan(i * width * sizeof(float)));
        long[] shape = task == TextTask.Rank ? [rows.Length] : [rows.Length, width];
        Tensor numbers = new(task == TextTask.Embed ? "embeddings" : "scores", TensorType.Float32, shape, all);
        return (task == TextTask.Classify ? [numbers, Labels(settings.Labels)] : [numbers], null);
    }

    private static Tensor Labels(IReadOnlyList<string> labels)
    {
        ArrayBufferWriter<byte> texts = new();
        foreach (var label in labels) ByteElements.Add(texts, Encoding.UTF8.GetBytes(label));
        return new Tensor("labels", TensorType.Bytes, [labels.Count], texts.WrittenMemory);
    }
}
