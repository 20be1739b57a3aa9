using System.Text.Json.Nodes;
using R1Serverless.Models;

namespace R1Serverless.Building;

/// <summary>A small tokenizer widened to a large vocabulary: the new entries are pairs of words, decode to text and never encode.</summary>
internal static class SyntheticTokenizer
{
    /// <summary>Writes tokenizer.json, and tokenizer_config.json where the source has one.</summary>
    /// <exception cref="InvalidModelException">The source has more entries than asked for, or is no byte-level BPE tokenizer.</exception>
    public static void Write(string folder, int size, string source)
    {
        var path = Path.Combine(source, ModelFolder.TokenizerFile);
        var tokenizer = JsonNode.Parse(File.ReadAllText(path));
        if (tokenizer?["model"]?["vocab"] is not JsonObject vocabulary)
        {
            throw new InvalidModelException($"{path} is no byte-level BPE tokenizer: model.vocab is missing.");
        }

        var next = 1 + Math.Max(
            vocabulary.Max(entry => entry.Value!.GetValue<int>()),
            (tokenizer["added_tokens"] as JsonArray ?? []).Select(token => token!["id"]!.GetValue<int>()).DefaultIfEmpty(0).Max());
        if (next > size)
        {
            throw new InvalidModelException($"{path} has {next} entries, more than the vocabulary of {size}.");
        }

        var words = vocabulary.Select(entry => entry.Key).Where(word => word.All(char.IsAsciiLetterOrDigit)).ToList();
        foreach (var word in words.SelectMany(first => words, (first, second) => first + second))
        {
            if (next < size && vocabulary.TryAdd(word, next))
            {
                next++;
            }
        }

        File.WriteAllText(Path.Combine(folder, ModelFolder.TokenizerFile), tokenizer.ToJsonString());
        if (File.Exists(Path.Combine(source, ModelFolder.TokenizerConfigFile)))
        {
            File.Copy(Path.Combine(source, ModelFolder.TokenizerConfigFile), Path.Combine(folder, ModelFolder.TokenizerConfigFile), overwrite: true);
        }
    }
}
