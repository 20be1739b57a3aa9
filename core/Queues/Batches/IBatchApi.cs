using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Queues.Batches;

/// <summary>The API whose requests the lines of a batch are. Safe for several threads.</summary>
public interface IBatchApi
{
    /// <summary>The paths that a batch may name, in words.</summary>
    string Endpoints { get; }

    /// <summary>Whether a batch may name this path.</summary>
    bool IsEndpoint(string path);

    /// <summary>The path of a request that comes without one.</summary>
    /// <param name="body">An object.</param>
    string EndpointOf(JsonElement body);

    /// <summary>Reads what makes a line one of the batch, without its body.</summary>
    /// <param name="line">Without its line break.</param>
    /// <param name="endpoint">The path that it must name; null allows each.</param>
    LineCheck Check(ReadOnlyMemory<byte> line, string? endpoint);

    /// <summary>Reads a whole line; what is wrong with it, its body included, becomes its refusal.</summary>
    /// <param name="id">What the request will be called.</param>
    BatchLine Read(ReadOnlyMemory<byte> line, RequestId id);

    /// <summary>The line of the output or error file for a request that has ended.</summary>
    LineOutput Write(BatchLine line, InferenceResult result);

    /// <summary>The line of the error file for a request that was given up.</summary>
    LineOutput Write(BatchLine line, GivenUp reason);
}

/// <param name="CustomId">Null where it can't be read.</param>
/// <param name="Fault">Null where there is none; its line number is not filled in.</param>
public sealed record LineCheck(string? CustomId, LineFault? Fault);

/// <summary>What an output line needs to know of its input line, and what is to be run.</summary>
/// <param name="Endpoint">The path that it names.</param>
/// <param name="Model">As it names it; "" where it names none.</param>
/// <param name="Request">Null where the line is refused.</param>
/// <param name="Refusal">The line's end where it is refused, else null.</param>
public sealed record BatchLine(RequestId Id, string CustomId, string Endpoint, string Model, InferenceRequest? Request, LineOutput? Refusal)
{
    /// <summary>Whether the request itself says how long it may take, so that its end by time need not be the batch's.</summary>
    public bool HasDeadline { get; init; }

    /// <summary>What is wrong with a line that is refused, in a sentence.</summary>
    public string? Why { get; init; }
}

/// <param name="Json">With its line break.</param>
/// <param name="IsError">Whether it goes to the error file.</param>
public readonly record struct LineOutput(ReadOnlyMemory<byte> Json, bool IsError);

/// <summary>Why a line was not run to its end.</summary>
public enum GivenUp
{
    BatchCancelled,
    BatchExpired,
}
