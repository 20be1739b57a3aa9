using System.Text.Json;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;

namespace R1Serverless.Engine.Runtime;

/// <summary>The nodes of a kind that a decode step ran on one device.</summary>
/// <param name="Operator">Such as MatMul.</param>
/// <param name="Provider">The execution provider, in ONNX Runtime's words.</param>
/// <param name="Nodes">How many.</param>
public sealed record NodePlacement(string Operator, string Provider, int Nodes)
{
    private const int Rows = 2, PromptTokens = 8, Tokens = 2;

    /// <summary>Where the nodes of a decode step run: those that the preferred device has no kernel for run on the CPU, and what they read and write
    /// is copied. From ONNX Runtime's own profile.</summary>
    /// <exception cref="ModelLoadException">The graph can't be loaded.</exception>
    public static IReadOnlyList<NodePlacement> Of(string graphPath, RuntimeOptions options, GraphNames names)
    {
        var folder = Directory.CreateTempSubdirectory("r1-profile-");
        try
        {
            using var session = OrtSession.Open(graphPath, options with { ProfilePrefix = Path.Combine(folder.FullName, "step") });
            using (RawBatch batch = new(session, GraphSignature.Read(session.Session, names), Rows, PromptTokens, Tokens)) batch.Run();
            using var profile = JsonDocument.Parse(File.ReadAllBytes(session.Session.EndProfiling()));
            return [.. profile.RootElement.EnumerateArray().Select(Node).OfType<(string Name, string Operator, string Provider)>().Distinct()
                .GroupBy(node => (node.Operator, node.Provider))
                .Select(kind => new NodePlacement(kind.Key.Operator, kind.Key.Provider, kind.Count()))];
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (string Name, string Operator, string Provider)? Node(JsonElement inferenceEvent) =>
        inferenceEvent.TryGetProperty("args", out var args) && args.TryGetProperty("provider", out var provider)
            && args.TryGetProperty("op_name", out var kind)
            && inferenceEvent.GetProperty("name").GetString() is { } name && name.EndsWith("_kernel_time", StringComparison.Ordinal)
                ? (name, kind.GetString()!, provider.GetString()!)
                : null;
}
