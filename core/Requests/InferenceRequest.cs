namespace R1Serverless.Requests;

/// <summary>One ask of a client, whichever door it came through. Ranges are checked at the door; see <c>OpenAi/</c> in functions.</summary>
public sealed record InferenceRequest
{
    public required RequestId Id { get; init; }

    /// <summary>The model's id, as GET /v1/models lists it.</summary>
    public required string Model { get; init; }

    public required Prompt Prompt { get; init; }

    /// <summary>Who asks: a fingerprint of the API key, never the key; empty where the server asks for none. Limits and fair order go by it, and only the owner
    /// may come back for the result.</summary>
    public string Owner { get; init; } = "";

    /// <summary>How long after it was taken in the request may take, waiting included; null sets no limit. Later it is not started, and what runs is stopped.</summary>
    public TimeSpan? Deadline { get; init; }

    public PrecisionWish Precision { get; init; } = new() { IsServerDefault = true };

    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>How many tokens may be generated, reasoning included; null means up to the end of the context.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>At most four texts that end the answer; they are not part of it.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Generation goes on past the end-of-sequence token (a load generator's option).</summary>
    public bool IgnoreEndOfSequence { get; init; }

    /// <summary>How many independent answers, 1 to 16.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>How many alternatives are reported per token, 0 to 20; null reports no probabilities.</summary>
    public int? TopLogprobs { get; init; }
}
