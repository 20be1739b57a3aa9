using System.Collections.Immutable;
using System.Threading.Channels;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Sampling;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Steps;

/// <summary>One prompt with its completion in the engine: one choice of a request.</summary>
internal sealed class Sequence : ScheduledSequence
{
    public required int Choice { get; init; }

    public required Sampler Sampler { get; init; }

    /// <summary>Tokens to generate at most; the caller has made sure that they fit the context.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>Tokens that end the answer; empty where the client ignores them. Not as an interface: an array behind one has methods that the first
    /// request would have to wait for.</summary>
    public required ImmutableArray<int> EndTokens { get; init; }

    /// <summary>Where tokens go. Shared by the choices of a request, written by one <see cref="Publisher"/> only, never full.</summary>
    public required ChannelWriter<SequenceOutput> Output { get; init; }

    /// <summary>The newest token: generated, but not yet in the KV slot.</summary>
    public int LastToken { get; set; }

    public int Generated { get; set; }

    /// <summary>Keys and values while preempted.</summary>
    public KvSnapshot? Saved { get; set; }
}

/// <summary>A token of one choice, or the end of that choice, or both.</summary>
internal readonly record struct SequenceOutput(int Choice, SampledToken? Token, FinishReason? End = null, InferenceError? Error = null);
