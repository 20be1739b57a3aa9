using System.Text.Json;
using R1Serverless.Models.Templates;

namespace R1Serverless.Models.Text;

/// <summary>The template of a folder as its files have it, unparsed, and the texts of special tokens that it may ask for.</summary>
/// <param name="Template">Null where the folder has none.</param>
/// <param name="Tokens">bos_token, eos_token and so on, by name.</param>
internal sealed record ChatTemplateFiles(string? Template, IReadOnlyList<KeyValuePair<string, Value>> Tokens)
{
    /// <summary>The name of the one that is for plain conversations, where there are several.</summary>
    private const string Usual = "default";

    private const string Field = "chat_template";

    private static readonly string[] TokenNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    public static ChatTemplateFiles None { get; } = new(null, []);

    /// <summary>chat_template.jinja comes before tokenizer_config.json's <c>chat_template</c>, and that before chat_template.json.</summary>
    /// <exception cref="InvalidModelException">A file is no JSON, or the template in it is of another kind than text.</exception>
    public static ChatTemplateFiles Read(string folder)
    {
        var config = Find(folder, ModelFiles.TokenizerConfigFile);
        var alone = Path.Combine(folder, ModelFiles.ChatTemplateFile);
        var template = File.Exists(alone) ? File.ReadAllText(alone) : TemplateOf(config) ?? TemplateOf(Find(folder, ModelFiles.ChatTemplateJsonFile));
        return new ChatTemplateFiles(template, template is null || config is not { } tokens ? [] : [.. TokensOf(tokens)]);
    }

    private static JsonFields? Find(string folder, string name) =>
        File.Exists(Path.Combine(folder, name)) ? JsonFields.Load(Path.Combine(folder, name)) : null;

    /// <summary>One text, or a list of named ones.</summary>
    private static string? TemplateOf(JsonFields? file)
    {
        if (file is not { } fields || fields.Find(Field) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.String)
            return value.GetString();
        if (value.ValueKind != JsonValueKind.Array)
            throw fields.Invalid(Field, "must be a text or a list of named ones");

        List<(string? Name, string? Template)> named = [.. value.EnumerateArray().Select(one => (Text(one, "name"), Text(one, "template")))];
        if (named.Exists(one => one.Name is null || one.Template is null))
            throw fields.Invalid(Field, "must have a name and a template for each");
        return named.Find(one => one.Name == Usual).Template ?? named switch
        {
            [] => null,
            [var only] => only.Template,
            _ => throw fields.Invalid(Field,
                $"names {string.Join(", ", named.Select(one => one.Name))}, and none of them \"{Usual}\": call the one for conversations so"),
        };
    }

    private static IEnumerable<KeyValuePair<string, Value>> TokensOf(JsonFields config)
    {
        foreach (var name in TokenNames)
        {
            if (config.Find(name) is { } token && TokenText(token) is { } text)
                yield return KeyValuePair.Create<string, Value>(name, StringValue.OfTemplate(text));
        }

        if (config.Find("additional_special_tokens") is { ValueKind: JsonValueKind.Array } more)
        {
            var texts = more.EnumerateArray().Select(TokenText).OfType<string>().Select(StringValue.OfTemplate);
            yield return KeyValuePair.Create<string, Value>("additional_special_tokens", new ListValue([.. texts]));
        }
    }

    /// <summary>A token is its text, or an object that has it as <c>content</c>.</summary>
    private static string? TokenText(JsonElement token) => token.ValueKind == JsonValueKind.String ? token.GetString() : Text(token, "content");

    private static string? Text(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;
}
