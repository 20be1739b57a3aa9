namespace R1Serverless.Abstractions;

/// <summary>What a client asks for, however it came in. Ranges are checked where it comes in; see <c>Api/OpenAI</c> in functions.</summary>
public sealed record InferenceRequest
{
    public required RequestId Id { get; init; }

    /// <summary>The model's id, as GET /v1/models lists it.</summary>
    public required string Model { get; init; }

    public required Prompt Prompt { get; init; }

    /// <summary>Who asks: a fingerprint of the API key, never the key; empty where the server asks for none. Limits and fair order go by it, and only
    /// the owner may come back for the result.</summary>
    public string Owner { get; init; } = "";

    /// <summary>Only requests with the same one share the computed beginnings of their prompts; null is one of its own.</summary>
    public string? CacheSalt { get; init; }

    /// <summary>How long after it was taken in the request may take, waiting included; null sets no limit. Later it is not started, and what runs is
    /// stopped.</summary>
    public TimeSpan? Deadline { get; init; }

    public PrecisionPreference Precision { get; init; } = new() { IsServerDefault = true };

    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>How many tokens may be generated, reasoning included; null means up to the end of the context.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>At most four texts that end the answer; they are not part of it.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Generation goes on past the end-of-sequence token (a load generator's option).</summary>
    public bool IgnoreEndOfSequence { get; init; }

    /// <summary>How many independent answers to each prompt, 1 to 16.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>How many answers are generated for the likeliest of them to be the choices, at most 16; null means no more than
    /// <see cref="Choices"/>.</summary>
    public int? BestOf { get; init; }

    /// <summary>Whether each answer begins with the prompt's text; not for a conversation.</summary>
    public bool Echo { get; init; }

    /// <summary>How many alternatives are reported per token, 0 to 20; null reports no probabilities.</summary>
    public int? TopLogprobs { get; init; }
}
