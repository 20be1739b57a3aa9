using System.Text.Json.Nodes;
using R1Serverless.Models;

namespace R1Serverless.Tests.ModelBuilder;

/// <summary>A small tokenizer widened to a large vocabulary: the new entries are words put together, each with its merge, so that it takes as long to
/// read as a real one of that size.</summary>
internal static class SyntheticTokenizer
{
    /// <summary>Writes tokenizer.json, and tokenizer_config.json where the source has one.</summary>
    /// <exception cref="InvalidModelException">The source has more entries than asked for, or is no byte-level BPE tokenizer.</exception>
    public static void Write(string folder, int size, string source)
    {
        var path = Path.Combine(source, ModelFiles.TokenizerFile);
        var tokenizer = JsonNode.Parse(File.ReadAllText(path));
        if (tokenizer?["model"]?["vocab"] is not JsonObject vocabulary)
            throw new InvalidModelException($"{path} is no byte-level BPE tokenizer: model.vocab is missing.");

        var next = 1 + Math.Max(
            vocabulary.Max(entry => entry.Value!.GetValue<int>()),
            (tokenizer["added_tokens"] as JsonArray ?? []).Select(token => token!["id"]!.GetValue<int>()).DefaultIfEmpty(0).Max());
        if (next > size)
            throw new InvalidModelException($"{path} has {next} entries, more than the vocabulary of {size}.");

        var merges = tokenizer["model"]!["merges"] as JsonArray
            ?? throw new InvalidModelException($"{path} is no byte-level BPE tokenizer: model.merges is missing.");
        var words = vocabulary.Select(entry => entry.Key).Where(word => word.All(char.IsAsciiLetterOrDigit)).ToList();
        var (first, known) = (0, words.Count);
        for (; next < size && first < words.Count; first++)
        {
            for (var second = 0; next < size && second < known; second++)
            {
                if (!vocabulary.TryAdd(words[first] + words[second], next)) continue;
                merges.Add(new JsonArray(words[first], words[second]));
                words.Add(words[first] + words[second]);
                next++;
            }
        }

        File.WriteAllText(Path.Combine(folder, ModelFiles.TokenizerFile), tokenizer.ToJsonString());
        if (File.Exists(Path.Combine(source, ModelFiles.TokenizerConfigFile)))
            File.Copy(Path.Combine(source, ModelFiles.TokenizerConfigFile), Path.Combine(folder, ModelFiles.TokenizerConfigFile), overwrite: true);
    }
}
