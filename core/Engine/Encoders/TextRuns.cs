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
                    if (fault is null) rows[i] = TextVectors.Of(outputs[output], settings, prompt);
                    else if (Interlocked.CompareExchange(ref error, fault with { Field = fault.Field is null ? null : "input" }, null) is null)
                        await stop.CancelAsync();
                });
        }
        catch (OperationCanceledException) when (error is not null)
        {
            // The fault says why.
        }

        return error is null ? (Tensors(rows, prompt.Task, settings), null) : ([], error);
    }

    /// <summary>The answer of rows of equal length.</summary>
    internal static IReadOnlyList<Tensor> Tensors(float[][] rows, TextTask task, OutputSettings settings)
    {
        var width = rows[0].Length;
        var all = new byte[rows.Length * width * sizeof(float)];
        for (var i = 0; i < rows.Length; i++) MemoryMarshal.AsBytes<float>(rows[i]).CopyTo(all.AsSpan(i * width * sizeof(float)));
        long[] shape = task == TextTask.Rank ? [rows.Length] : [rows.Length, width];
        Tensor numbers = new(task == TextTask.Embed ? "embeddings" : "scores", TensorType.Float32, shape, all);
        return task == TextTask.Classify ? [numbers, Labels(settings.Labels)] : [numbers];
    }

    private static Tensor Labels(IReadOnlyList<string> labels)
    {
        ArrayBufferWriter<byte> texts = new();
        foreach (var label in labels) ByteElements.Add(texts, Encoding.UTF8.GetBytes(label));
        return new Tensor("labels", TensorType.Bytes, [labels.Count], texts.WrittenMemory);
    }
}
