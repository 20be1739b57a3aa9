using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Tensors;
using R1Serverless.Models.Images;

namespace R1Serverless.Engine.Images;

/// <summary>Runs the images of a request, each as a request of its own to the engine, which lets those of one size share a run.</summary>
/// <param name="settings">How they are read.</param>
/// <param name="type">Of the graph's input.</param>
/// <param name="check">Why the graph can't take a row, as <see cref="TensorChecks"/> has it; null where it can.</param>
internal sealed class ImageRuns(ImageSettings settings, TensorType type, TensorEngine engine, Func<Tensor, InferenceError?> check)
{
    /// <summary>Images of one request that are read or wait at a time.</summary>
    private const int AtOnce = 16;

    /// <summary>The outputs of each image, in the graph's order.</summary>
    /// <param name="field">Names an image by its number in an error.</param>
    /// <param name="read">Gives the row of an image that was read already, by its number; else null.</param>
    public async Task<(IReadOnlyList<Tensor>[] Rows, InferenceError? Error)> RunAsync(
        IReadOnlyList<ReadOnlyMemory<byte>> images, int priority, Func<int, string> field, Func<int, Tensor?> read,
        CancellationToken cancellationToken)
    {
        var rows = new IReadOnlyList<Tensor>[images.Count];
        InferenceError? error = null;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await Parallel.ForAsync(0, images.Count, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = stop.Token },
                async (i, token) =>
                {
                    var (outputs, fault) = await RunAsync(i, images, priority, field, read(i), token);
                    if (fault is null) rows[i] = outputs;
                    else if (Interlocked.CompareExchange(ref error, fault, null) is null) await stop.CancelAsync();
                });
        }
        catch (OperationCanceledException) when (error is not null)
        {
            // The fault says why.
        }

        return error is null ? (rows, null) : ([], error);
    }

    /// <summary>One tensor of each output: rows behind each other.</summary>
    public static (IReadOnlyList<Tensor> Outputs, InferenceError? Error) Stack(IReadOnlyList<Tensor>[] rows)
    {
        if (rows is [var only]) return (only, null);
        List<Tensor> outputs = [];
        for (var i = 0; i < rows[0].Count; i++)
        {
            Tensor[] parts = [.. rows.Select(row => row[i])];
            if (Array.Exists(parts, part => part.Shape is not [1, ..] || !part.Shape.SequenceEqual(parts[0].Shape)))
                return ([], new InferenceError(InferenceErrorKind.InvalidRequest,
                    $"The images give outputs '{parts[0].Name}' that can't stand in one tensor: send one image a request.", "inputs"));
            var data = new byte[parts.Sum(part => part.Data.Length)];
            var at = 0;
            foreach (var part in parts)
            {
                part.Data.CopyTo(data.AsMemory(at));
                at += part.Data.Length;
            }

            outputs.Add(parts[0] with { Shape = [parts.Length, .. parts[0].Shape.Skip(1)], Data = data });
        }

        return (outputs, null);
    }

    private async Task<(IReadOnlyList<Tensor> Outputs, InferenceError? Error)> RunAsync(
        int number, IReadOnlyList<ReadOnlyMemory<byte>> images, int priority, Func<int, string> field, Tensor? read,
        CancellationToken cancellationToken)
    {
        var (row, fault) = read is null ? await ImageReading.ReadAsync(images[number], settings, type, cancellationToken) : (read, null);
        if (row is null)
        {
            var name = images.Count == 1 ? "The image" : $"Image {number}";
            return ([], new InferenceError(InferenceErrorKind.InvalidRequest, $"{name} {fault}.", field(number)));
        }

        return check(row) is { } misfit ? ([], misfit with { Field = field(number) }) : await engine.RunAsync([row], priority, cancellationToken);
    }
}
