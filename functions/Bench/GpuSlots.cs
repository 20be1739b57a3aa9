using R1Serverless.Engine.Probes;
using R1Serverless.Engine.Runtime;

namespace R1Serverless.Bench;

/// <summary>Checks of a variant's graph and slots.</summary>
internal static class GpuSlots
{
    private const int Alone = 32;

    /// <summary>Operators that take the time of a step.</summary>
    private static readonly string[] Heavy = ["MatMul", "Gemm", "GroupQueryAttention", "MultiHeadAttention", "MatMulNBits", "MatMulIntegerToFloat",
        "MatMulInteger", "FusedMatMul"];

    public static GpuFinding Place(GpuSubject subject, GpuOptions options)
    {
        var nodes = NodePlacement.Of(subject.Folder.GraphPath(subject.Variant), options.Runtime, subject.Folder.Names);
        var provider = options.IsCuda ? "CUDAExecutionProvider" : "CPUExecutionProvider";
        NodePlacement[] elsewhere = [.. nodes.Where(node => node.Provider != provider)];
        string Names(IEnumerable<NodePlacement> some) => string.Join(", ", some.Select(node => $"{node.Nodes} {node.Operator}"));
        return GpuFinding.Of(
            !elsewhere.Any(node => Heavy.Contains(node.Operator)),
            (double)nodes.Where(node => node.Provider == provider).Sum(node => node.Nodes) / nodes.Sum(node => node.Nodes), "of the nodes",
            elsewhere.Length == 0 ? "every node of a step runs on the device" : $"the processor runs {Names(elsewhere)}");
    }

    /// <summary>The engine's answers alone and among others, as texts; and logits, as bits.</summary>
    public static async Task<GpuFinding> BatchAsync(GpuSubject subject, GpuOptions options, TimeProvider time, CancellationToken cancellation)
    {
        var difference = RowIndependence.LargestDifference(subject.Folder, subject.Variant, options.Runtime);
        if (await new GpuAnswers(subject, options, time).AskAloneAsync(options.IsQuick ? Alone / 4 : Alone,
            cancellation) is not var (asked, different))
            return GpuFinding.Of(difference == 0, difference, "logits' difference",
                difference == 0 ? "logits alone and in batches of 2 to 64 are equal bit for bit"
                : "logits alone and in batches differ; the model has no problems whose answers could be compared");
        return GpuFinding.Of(different == 0, difference, "logits' difference",
            $"{different} of {asked} answers alone differ from those among others");
    }

    public static GpuFinding Copy(GpuSubject subject, GpuOptions options)
    {
        var (difference, areSame) = SlotCopies.Compare(subject.Folder, subject.Variant, options.Runtime);
        return GpuFinding.Of(areSame, difference, "logits' difference",
            areSame ? "moved, resized, saved and restored, a sequence has the same likeliest tokens"
            : "after moves, resizes and restores the likeliest tokens are others");
    }

    public static double Bandwidth(GpuSubject subject, GpuOptions options)
    {
        using DeviceMemory memory = new(subject.Folder.GraphPath(subject.Variant), options.Runtime);
        return memory.MeasureCopies(options.IsQuick ? 64L << 20 : 1L << 30);
    }
}
