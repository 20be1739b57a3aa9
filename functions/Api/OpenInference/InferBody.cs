using System.Text.Json;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Api.OpenInference;

/// <summary>An inference request of the Open Inference Protocol v2, as its body or message has it.</summary>
/// <param name="Id">The client's name for it, which the answer repeats; null for none.</param>
/// <param name="Parameters">An object; null where none came.</param>
/// <param name="Inputs">With different names; each one's content fits its shape.</param>
/// <param name="Outputs">With different names; empty for all of them.</param>
internal sealed record InferBody(string? Id, JsonElement? Parameters, IReadOnlyList<Tensor> Inputs, IReadOnlyList<RequestedOutput> Outputs);

/// <param name="IsBinary">Whether it is wanted behind the JSON; null leaves it to what the request says of all outputs.</param>
internal sealed record RequestedOutput(string Name, bool? IsBinary);

/// <summary>How a client wants its tensors back.</summary>
/// <param name="Id">See <see cref="InferBody.Id"/>.</param>
/// <param name="IsBinary">For outputs that say nothing of it themselves.</param>
internal sealed record InferForm(string? Id, bool IsBinary, IReadOnlyList<RequestedOutput> Outputs)
{
    /// <summary>Everything as JSON.</summary>
    public static InferForm Plain { get; } = new(null, IsBinary: false, []);

    public bool IsBinaryOf(string output) => Outputs.FirstOrDefault(one => one.Name == output)?.IsBinary ?? IsBinary;
}

/// <summary>How much of what a request may have.</summary>
internal static class InferLimits
{
    /// <summary>Dimensions of a tensor.</summary>
    public const int Rank = 16;

    /// <summary>Inputs, and outputs that are asked for.</summary>
    public const int Tensors = 256;

    /// <summary>Characters of a tensor's name, and of a request's id.</summary>
    public const int Name = 1024;

    /// <summary>What a client wrote, short enough for a message.</summary>
    public static string Shorten(string text) => text.Length <= 64 ? text : string.Concat(text.AsSpan(0, 64), "…");
}
