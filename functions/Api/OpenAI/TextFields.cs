using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>Reads calls of encoders: /v1/embeddings in OpenAI's form, /rerank in text-embeddings-inference's and in Jina's and Cohere's, /classify as
/// text-embeddings-inference's predict.</summary>
internal static class TextFields
{
    /// <summary>As OpenAI has it.</summary>
    private const int MaxInputs = 2048;

    private const int MaxDimensions = 1 << 20;

    private const string Truncate = "truncate", Direction = "truncation_direction", RawScores = "raw_scores", Top = "top_k",
        Parameters = "parameters", Function = "function_to_apply", ImageUrl = "data:image/";

    /// <summary>What every one of them may have.</summary>
    private static readonly string[] Shared = ["model", Truncate, Direction, "precision", "max_accuracy_drop", "deadline", "webhook"];

    private static readonly string[] Harmless = ["user", "metadata", "request_id", "priority"];

    private static readonly KnownFields Embeddings = new([.. Shared, "input", "encoding_format", "dimensions"], Harmless, Unsupported);

    private static readonly KnownFields Rank = new(
        [.. Shared, "query", TextForm.Texts, TextForm.Documents, "top_n", RawScores, "return_text", "return_documents"], Harmless, Unsupported);

    private static readonly KnownFields Classify = new([.. Shared, TextForm.Inputs, RawScores, Top, Parameters], Harmless, Unsupported);

    /// <summary>Hugging Face's place of what is not the input.</summary>
    private static readonly KnownFields ClassifyParameters = new([Top, Function], [], []);

    private static readonly KnownFields Document = new(["text"], [], []);

    /// <summary>Other servers' fields that would change the numbers.</summary>
    private static Dictionary<string, Func<JsonElement, bool>> Unsupported => new(StringComparer.Ordinal)
    {
        ["add_special_tokens"] = value => value.ValueKind == JsonValueKind.True,
        ["truncate_prompt_tokens"] = Never,
        ["max_tokens_per_doc"] = Never,
        ["max_chunks_per_doc"] = Never,
        ["rank_fields"] = Never,
        ["prompt_name"] = Never,
        ["input_type"] = Never,
        ["task"] = Never,
        ["normalize"] = Never,
        ["normalized"] = value => value.ValueKind == JsonValueKind.True,
        ["embedding_type"] = value => value.ValueKind == JsonValueKind.String && value.ValueEquals("float"),
    };

    public static bool Has(CompletionApi api) => api is CompletionApi.Embeddings or CompletionApi.Rank or CompletionApi.Classify;

    /// <summary>The prompt and the answer's form, or null with the first fault noted.</summary>
    public static (Prompt.Texts Prompt, TextForm Form)? Read(CompletionApi api, RequestReader reader)
    {
        (api switch { CompletionApi.Embeddings => Embeddings, CompletionApi.Rank => Rank, _ => Classify }).Check(reader);
        var read = api switch
        {
            CompletionApi.Embeddings => ReadEmbeddings(reader),
            CompletionApi.Rank => ReadRank(reader),
            _ => ReadClassify(reader),
        };
        return read is var (prompt, form)
            ? (prompt with { Truncation = ReadTruncation(reader), RawScores = prompt.RawScores || IsRaw() }, form) : null;

        bool IsRaw() => api != CompletionApi.Embeddings && reader.Flag(RawScores) == true;
    }

    private static (Prompt.Texts, TextForm)? ReadEmbeddings(RequestReader reader)
    {
        var format = reader.Text("encoding_format");
        if (format is not (null or "float" or "base64")) reader.Faults.Add("encoding_format", "'encoding_format' must be \"float\" or \"base64\".");
        var dimensions = (int?)reader.Integer("dimensions", 1, MaxDimensions);
        if (reader.Required(TextForm.Input) is not { } value || ReadInputs(reader, value) is not { } inputs) return null;
        return (new Prompt.Texts(TextTask.Embed, inputs) { Dimensions = dimensions }, new TextForm(TextForm.Input) { IsBase64 = format == "base64" });
    }

    /// <summary>A text, token ids, or a list of either.</summary>
    private static IReadOnlyList<TextInput>? ReadInputs(RequestReader reader, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() == 0 || value[0].ValueKind == JsonValueKind.Number)
            return ReadInput(reader, value, TextForm.Input) is { } only ? [only] : null;
        return ReadList(reader, value, TextForm.Input, ReadInput);
    }

    private static TextInput? ReadInput(RequestReader reader, JsonElement value, string at) => PromptFields.ReadOne(reader, value, at) switch
    {
        Prompt.Text { Value: var text } => new TextInput(text),
        Prompt.Tokens { Ids: var ids } => new TextInput(null, Tokens: ids),
        _ => null,
    };

    private static (Prompt.Texts, TextForm)? ReadRank(RequestReader reader)
    {
        var query = reader.Required("query") is { } asked ? Filled(reader, asked, "query") : null;
        JsonElement? texts = reader.Optional(TextForm.Texts), documents = reader.Optional(TextForm.Documents);
        if (texts is null == documents is null)
        {
            reader.Faults.Add(texts is null ? TextForm.Texts : TextForm.Documents,
                texts is null ? "'texts' (or 'documents') is required." : "Send 'texts' or 'documents', not both.",
                texts is null ? "missing_required_parameter" : "invalid_value");
            return null;
        }

        var form = new TextForm(texts is null ? TextForm.Documents : TextForm.Texts) { Top = (int?)reader.Integer("top_n", 1, int.MaxValue) };
        bool repeatsText = reader.Flag("return_text") ?? false, repeatsDocuments = reader.Flag("return_documents") ?? false;
        if ((texts ?? documents) is not { ValueKind: JsonValueKind.Array } list || list.GetArrayLength() == 0)
        {
            if ((texts ?? documents)!.Value is { ValueKind: not JsonValueKind.Array } other) reader.WrongType(form.Field, "an array of texts", other);
            else reader.Faults.Add(form.Field, $"'{form.Field}' must not be empty.");
            return null;
        }

        if (ReadList(reader, list, form.Field, ReadDocument) is not { } read || query is null) return null;
        return (new Prompt.Texts(TextTask.Rank, [.. read.Select(text => new TextInput(query, text))]),
            repeatsText || repeatsDocuments ? form with { Repeated = read } : form);
    }

    /// <summary>A text, or an object that has one.</summary>
    private static string? ReadDocument(RequestReader reader, JsonElement value, string at)
    {
        if (value.ValueKind != JsonValueKind.Object) return Filled(reader, value, at);
        RequestReader inner = new(value, at, reader.Faults);
        Document.Check(inner);
        return inner.Required("text") is { } text ? Filled(inner, text, inner.Path("text")) : null;
    }

    private static (Prompt.Texts, TextForm)? ReadClassify(RequestReader reader)
    {
        var form = new TextForm(TextForm.Inputs) { Top = ReadTop(reader) };
        var isRaw = false;
        if (reader.Object(Parameters) is { } parameters)
        {
            ClassifyParameters.Check(parameters);
            form = form with { Top = ReadTop(parameters) ?? form.Top };
            var function = parameters.Text(Function);
            isRaw = function == "none";
            if (function is not (null or "none"))
                reader.Faults.Add(parameters.Path(Function), $"'{parameters.Path(Function)}' must be \"none\", which gives the graph's own scores.");
        }

        if (reader.Required(TextForm.Inputs) is not { } value || ReadSequences(reader, value) is not var (inputs, isSingle)) return null;
        return (new Prompt.Texts(TextTask.Classify, inputs) { RawScores = isRaw }, form with { IsSingle = isSingle });
    }

    private static int? ReadTop(RequestReader reader) => (int?)reader.Integer(Top, 1, int.MaxValue);

    private static (IReadOnlyList<TextInput> Inputs, bool IsSingle)? ReadSequences(RequestReader reader, JsonElement value)
    {
        // Images come one by one: a list of them is no pair.
        var areImages = value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0 && value.EnumerateArray().All(IsImage);
        // One text, or one pair of them.
        if (!areImages && (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() == 0 || value[0].ValueKind == JsonValueKind.String))
            return ReadSequence(reader, value, TextForm.Inputs) is { } only ? ([only], true) : null;
        return ReadList(reader, value, TextForm.Inputs, ReadSequence) is { } inputs ? (inputs, false) : null;
    }

    private static bool IsImage(JsonElement value) =>
        value.ValueKind == JsonValueKind.String && value.GetString()!.StartsWith(ImageUrl, StringComparison.OrdinalIgnoreCase);

    private static TextInput? ReadSequence(RequestReader reader, JsonElement value, string at)
    {
        if (value.ValueKind == JsonValueKind.String) return Filled(reader, value, at) is { } text ? new TextInput(text) : null;
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() is 0 or > 2)
        {
            reader.Faults.Add(at,
                $"'{at}' must be a text, a pair of texts [\"a\", \"b\"], or a list of lists of one or two texts [[\"a\"], [\"b\", \"c\"]].");
            return null;
        }

        var first = Filled(reader, value[0], $"{at}[0]");
        var second = value.GetArrayLength() == 2 ? Filled(reader, value[1], $"{at}[1]") : null;
        return reader.Faults.First is null ? new TextInput(first, second) : null;
    }

    private static List<T>? ReadList<T>(RequestReader reader, JsonElement list, string at, Func<RequestReader, JsonElement, string, T?> read)
        where T : class
    {
        if (list.GetArrayLength() > MaxInputs)
        {
            reader.Faults.Add(at, $"'{at}' holds {list.GetArrayLength()} texts; send at most {MaxInputs} in one request.");
            return null;
        }

        List<T> all = new(list.GetArrayLength());
        foreach (var one in list.EnumerateArray())
        {
            if (read(reader, one, $"{at}[{all.Count}]") is not { } item) return null;
            all.Add(item);
        }

        return all;
    }

    private static string? Filled(RequestReader reader, JsonElement value, string at)
    {
        var text = reader.TextOf(value, at);
        if (text is not "") return text;
        reader.Faults.Add(at, $"'{at}' must not be empty.");
        return null;
    }

    private static TextTruncation ReadTruncation(RequestReader reader)
    {
        var direction = reader.Text(Direction);
        if (direction is not null && !direction.Equals("right", StringComparison.OrdinalIgnoreCase)
            && !direction.Equals("left", StringComparison.OrdinalIgnoreCase))
            reader.Faults.Add(Direction, $"'{Direction}' must be \"right\" or \"left\".");
        return reader.Flag(Truncate) != true ? TextTruncation.None
            : direction?.Equals("left", StringComparison.OrdinalIgnoreCase) == true ? TextTruncation.Left : TextTruncation.Right;
    }

    private static bool Never(JsonElement value) => false;
}
