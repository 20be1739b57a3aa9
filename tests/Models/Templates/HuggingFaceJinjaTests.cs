using System.Text.Json;
using System.Text.Json.Nodes;
using R1Serverless.Models.Templates;
using R1Serverless.Tests.Models.Tokenization;

namespace R1Serverless.Tests.Models.Templates;

/// <summary>Every template of the oracles' packages over many conversations, against Hugging Face's own renderer for JavaScript; and, where that one
/// differs from Python's Jinja 3.1.6, which models were made with, against what Python said: deviations.jsonl. There an empty text equals false in
/// JavaScript, a dictionary joins a string, and some filters and calls are missing.</summary>
public sealed class HuggingFaceJinjaTests
{
    [Fact]
    public void Every_template_renders_alike()
    {
        var templates = ShippedTemplates.All();
        Assert.True(templates.Count >= ShippedTemplates.Least, $"only {templates.Count} templates");
        var cases =
            (from template in templates
             from conversation in Conversations.All
             select (template.Name, Conversation: conversation.Name, template.Source, Variables: conversation.With(template.Tokens))).ToList();
        var lines = cases.Select(one => new JsonObject { ["template"] = one.Source, ["variables"] = one.Variables.DeepClone() }.ToJsonString());
        var expected = NodeOracle.Answers<JsonElement>(lines, "render.mjs");
        Assert.Equal(cases.Count, expected.Count);
        List<string> wrong = [];
        var (rendered, deviations) = (0, Deviations());
        for (var i = 0; i < cases.Count; i++)
        {
            var (name, conversation, source, variables) = cases[i];
            var wanted = deviations.TryGetValue((name, conversation), out var python) ? python : Text(expected[i], "text");
            var (got, fault) = Rendered(source, variables);
            if (got != wanted)
                wrong.Add($"{name}, {conversation}: {Difference(wanted, got)} {fault ?? (wanted is null ? expected[i].GetRawText() : "")}");
            else if (got is not null) rendered++;
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} of {cases.Count} differ:\n{string.Join('\n', wrong.Take(20))}");
        // A conversation may be refused by both, but most are not.
        Assert.True(rendered > cases.Count / 2, $"only {rendered} of {cases.Count} were rendered");
    }

    /// <summary>What Python renders, null where it refuses.</summary>
    private static Dictionary<(string Template, string Conversation), string?> Deviations() =>
        File.ReadLines(RepositoryFiles.Path("tests", "Models", "Templates", "deviations.jsonl"))
        .Select(line => JsonSerializer.Deserialize<JsonElement>(line))
            .ToDictionary(one => (Text(one, "template")!, Text(one, "conversation")!), one => Text(one, "expected"));

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out var text) ? text.GetString() : null;

    private static (string? Text, string? Fault) Rendered(string source, JsonObject variables)
    {
        try
        {
            using var json = JsonDocument.Parse(variables.ToJsonString());
            var values = json.RootElement.EnumerateObject().Select(one => KeyValuePair.Create(one.Name, JsonValues.Of(one.Value)));
            return (JinjaTemplate.Parse(source).Render([.. values], TimeProvider.System).Text, null);
        }
        catch (TemplateException fault)
        {
            return (null, fault.Message);
        }
    }

    /// <summary>From a little before the first difference.</summary>
    private static string Difference(string? wanted, string? got)
    {
        if (wanted is null || got is null) return $"{(wanted is null ? "refused" : "rendered")} there, {(got is null ? "refused" : "rendered")} here";
        var at = Math.Max(0, wanted.AsSpan().CommonPrefixLength(got) - 30);
        return $"{Part(wanted)} there, {Part(got)} here";

        string Part(string text) => JsonSerializer.Serialize(text[Math.Min(at, text.Length)..Math.Min(text.Length, at + 100)]);
    }
}
