using System.Text.Json;
using R1Serverless.Models.Templates;

namespace R1Serverless.Tests.Models.Templates;

/// <summary>Templates with what Python's Jinja 3.1.6 makes of them under Hugging Face's settings: python.jsonl, which tests/oracles/render.py wrote.
/// A line without an expected text is one that Python refuses.</summary>
public sealed class PythonCasesTests
{
    private static readonly JsonElement[] Lines =
    [
        .. File.ReadLines(RepositoryFiles.Path("tests", "Models", "Templates", "python.jsonl")).Select(line => JsonDocument.Parse(line).RootElement),
    ];

    private static readonly KeyValuePair<string, Value>[] Variables =
    [
        .. Lines[0].GetProperty("variables").EnumerateObject().Select(one => KeyValuePair.Create(one.Name, JsonValues.Of(one.Value))),
    ];

    public static TheoryData<string> Groups => [.. Lines.Skip(1).Select(line => line.GetProperty("group").GetString()!).Distinct()];

    [Theory]
    [MemberData(nameof(Groups))]
    public void Renders_as_Python_does(string group)
    {
        var cases = Lines.Skip(1).Where(line => line.GetProperty("group").GetString() == group).ToArray();
        Assert.NotEmpty(cases);
        var wrong =
            from one in cases
            let template = one.GetProperty("template").GetString()
            let expected = one.TryGetProperty("expected", out var text) ? text.GetString() : null
            let got = Rendered(template)
            where got.Text != expected
            select $"{template}\n  Python: {JsonSerializer.Serialize(expected)}\n  here:   {JsonSerializer.Serialize(got.Text)} {got.Fault}";
        if (wrong.ToList() is { Count: > 0 } all) Assert.Fail(string.Join("\n", all));
    }

    private static (string? Text, string? Fault) Rendered(string template)
    {
        try
        {
            return (JinjaTemplate.Parse(template).Render(Variables, TimeProvider.System).Text, null);
        }
        catch (TemplateException fault)
        {
            return (null, fault.Message);
        }
    }
}
