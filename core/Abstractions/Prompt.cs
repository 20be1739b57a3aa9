using System.Text.Json;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Abstractions;

/// <summary>What the model is asked: a conversation, a raw text, ready token ids, or several of the last two; of a model that is no decoder,
/// tensors, or texts or images where it is an encoder.</summary>
public abstract record Prompt
{
    private Prompt()
    {
    }

    /// <summary>A conversation, oldest message first; the model's chat template turns it into text.</summary>
    public sealed record Chat(IReadOnlyList<ChatMessage> Messages) : Prompt
    {
        /// <summary>The effort that asks for an answer without reasoning.</summary>
        public const string NoReasoning = "none";

        /// <summary>How much the model is to reason, in the API's words; null leaves it to the template.</summary>
        public string? ReasoningEffort { get; init; }

        /// <summary>What the client passes to the model's chat template, by name: an object, such as <c>{"enable_thinking": false}</c>; null for
        /// nothing.</summary>
        public JsonElement? TemplateArguments { get; init; }
    }

    /// <summary>A text to continue, without a template.</summary>
    public sealed record Text(string Value) : Prompt;

    /// <summary>Token ids of the model's own vocabulary to continue.</summary>
    public sealed record Tokens(IReadOnlyList<int> Ids) : Prompt;

    /// <summary>Several prompts, each a text or token ids, that are answered each by itself: the choices of the first come first.</summary>
    public sealed record List(IReadOnlyList<Prompt> Prompts) : Prompt;

    /// <summary>The inputs of a graph that is no decoder.</summary>
    /// <param name="Inputs">With different names; each one's content fits its shape.</param>
    public sealed record Tensors(IReadOnlyList<Tensor> Inputs) : Prompt
    {
        /// <summary>The outputs to answer with; empty for all of them.</summary>
        public IReadOnlyList<string> Outputs { get; init; } = [];

        /// <summary>Of those that wait for a run, the requests with the greatest go first.</summary>
        public int Priority { get; init; }
    }

    /// <summary>Texts or images that an encoder makes numbers of, each by itself. The answer is one tensor of FP32: vectors [n, dimensions], scores
    /// [n] of pairs, or scores [n, labels], which the labels follow as BYTES.</summary>
    /// <param name="Inputs">At least one.</param>
    public sealed record Texts(TextTask Task, IReadOnlyList<TextInput> Inputs) : Prompt
    {
        /// <summary>Of the vectors, as many of their first numbers; null for all of them.</summary>
        public int? Dimensions { get; init; }

        /// <summary>What happens to a text that is longer than the model reads.</summary>
        public TextTruncation Truncation { get; init; }

        /// <summary>Scores as the model gives them, not as probabilities.</summary>
        public bool RawScores { get; init; }
    }

    /// <summary>The next events of one series, whose windows or states are kept beside the model.</summary>
    /// <param name="Key">Names the series among those of the owner.</param>
    /// <param name="Events">In order, each with its values; of a model that takes one number, one event's values may be that many events. Empty where
    /// <paramref name="Key"/> is to be forgotten.</param>
    public sealed record Series(string Key, IReadOnlyList<IReadOnlyList<double>> Events) : Prompt
    {
        /// <summary>The number of the first event, from 0; null for whichever is next.</summary>
        public long? Sequence { get; init; }

        /// <summary>The events before, for where they are no longer kept; null for none.</summary>
        public IReadOnlyList<IReadOnlyList<double>>? History { get; init; }

        /// <summary>In place of the model's own.</summary>
        public double? Threshold { get; init; }

        /// <summary>The outputs to answer with, beside the score.</summary>
        public IReadOnlyList<string> Outputs { get; init; } = [];

        /// <summary>Nothing is run: the series is forgotten.</summary>
        public bool IsRemoval { get; init; }
    }
}

/// <summary>What an encoder is asked for.</summary>
public enum TextTask
{
    /// <summary>A vector for each text.</summary>
    Embed,

    /// <summary>How well the second text of a pair answers the first.</summary>
    Rank,

    /// <summary>A score for each label of the model.</summary>
    Classify,
}

/// <summary>What happens to a text that is longer than the model reads.</summary>
public enum TextTruncation
{
    /// <summary>The request is refused.</summary>
    None,

    /// <summary>Its end is left out; of two texts that of the longer one first.</summary>
    Right,

    /// <summary>Its beginning is left out, in the same way.</summary>
    Left,
}

/// <summary>One input of an encoder: a text, two of them, ready token ids, or an image. A model of images reads a text as an image's data URL or
/// base64.</summary>
/// <param name="Text">Null where <paramref name="Tokens"/> or <paramref name="Image"/> is given.</param>
/// <param name="Pair">The second text; null where there is one only.</param>
/// <param name="Tokens">Of the model's own vocabulary, run as they are: nothing is added to them.</param>
/// <param name="Image">An encoded image, such as a PNG file.</param>
public sealed record TextInput(string? Text, string? Pair = null, IReadOnlyList<int>? Tokens = null, ReadOnlyMemory<byte>? Image = null);

public enum ChatRole
{
    System,
    User,
    Assistant,
}

public sealed record ChatMessage(ChatRole Role, string Content);
