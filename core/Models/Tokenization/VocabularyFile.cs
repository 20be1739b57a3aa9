using System.Text.Json;

namespace R1Serverless.Models.Tokenization;

/// <summary>BERT's own form of a tokenizer, vocab.txt: one token a line, whose number is its id. What tokenizer_config.json beside it says is what
/// Hugging Face's BertTokenizer makes of it.</summary>
internal static class VocabularyFile
{
    /// <summary>Hugging Face's names of BERT's special tokens, with what they are where nothing else is said.</summary>
    private static readonly (string Field, string Token)[] Special =
        [("unk_token", "[UNK]"), ("sep_token", "[SEP]"), ("pad_token", "[PAD]"), ("cls_token", "[CLS]"), ("mask_token", "[MASK]")];

    /// <exception cref="UnsupportedTokenizerException">It is no vocabulary of BERT's.</exception>
    /// <exception cref="InvalidModelException">tokenizer_config.json is damaged.</exception>
    public static TokenizerFile Read(string path)
    {
        Dictionary<string, int> vocabulary = new(StringComparer.Ordinal);
        var lines = File.ReadAllText(path).Split('\n');
        var count = lines[^1].Length == 0 ? lines.Length - 1 : lines.Length;
        for (var id = 0; id < count; id++)
        {
            // As with the reference, the last of equal lines counts.
            vocabulary[lines[id].TrimEnd('\r')] = id;
        }

        var config = Config(path);
        var tokens = Special.Select(one => TextOf(config, one.Field) ?? one.Token).ToArray();
        if (tokens[..4].FirstOrDefault(token => !vocabulary.ContainsKey(token)) is { } missing)
            throw new UnsupportedTokenizerException($"{path} lacks the token {missing}: it is no vocabulary of BERT's.");
        return new TokenizerFile
        {
            AddedTokens = [.. tokens.Distinct(StringComparer.Ordinal).Where(vocabulary.ContainsKey).Select(token => new AddedToken(
                vocabulary[token], token, Special: true, Normalized: false, LeftStrip: false, RightStrip: false, SingleWord: false))],
            Normalizer = TextNormalizer.Bert(
                cleans: true, config?.FindBoolean("tokenize_chinese_chars") ?? true, config?.FindBoolean("strip_accents"),
                config?.FindBoolean("do_lower_case") ?? true),
            PreTokenizer = StagedPreTokenizer.Bert(),
            Spelling = TokenSpelling.Plain,
            Vocabulary = vocabulary,
            Unknown = vocabulary[tokens[0]],
            ContinuingPrefix = "##",
            PostProcessor = Around(tokens[3], vocabulary[tokens[3]], tokens[1], vocabulary[tokens[1]]),
        };
    }

    private static JsonFields? Config(string vocabulary)
    {
        var path = Path.Combine(Path.GetDirectoryName(vocabulary)!, ModelFiles.TokenizerConfigFile);
        if (!File.Exists(path)) return null;
        var config = JsonFields.Load(path);
        if (config.FindBoolean("do_basic_tokenize") == false)
            throw new UnsupportedTokenizerException($"{path} switches do_basic_tokenize off; BERT's usual tokenizer is supported.");
        return config;
    }

    /// <summary>A token is a text, or an object that has it as its content.</summary>
    private static string? TextOf(JsonFields? config, string field) => config?.Find(field) switch
    {
        { ValueKind: JsonValueKind.String } text => text.GetString(),
        { ValueKind: JsonValueKind.Object } token => token.Text("content"),
        _ => null,
    };

    private static JsonElement Around(string begin, int beginId, string end, int endId)
    {
        using MemoryStream json = new();
        using (Utf8JsonWriter writer = new(json))
        {
            writer.WriteStartObject();
            writer.WriteString("type", "BertProcessing");
            Write(writer, "cls", begin, beginId);
            Write(writer, "sep", end, endId);
            writer.WriteEndObject();
        }

        return JsonElement.Parse(json.ToArray());
    }

    private static void Write(Utf8JsonWriter writer, string name, string token, int id)
    {
        writer.WriteStartArray(name);
        writer.WriteStringValue(token);
        writer.WriteNumberValue(id);
        writer.WriteEndArray();
    }
}
