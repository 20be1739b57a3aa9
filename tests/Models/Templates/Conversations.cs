using System.Text.Json.Nodes;

namespace R1Serverless.Tests.Models.Templates;

/// <summary>What templates are asked to render: the variables but for the tokenizer's own.</summary>
internal sealed record Conversation(string Name, JsonObject Variables)
{
    /// <summary>A copy with the texts of the tokenizer's special tokens.</summary>
    public JsonObject With(JsonObject tokens)
    {
        var all = tokens.DeepClone().AsObject();
        foreach (var (name, value) in Variables) all[name] = value?.DeepClone();
        return all;
    }
}

/// <summary>Conversations of all kinds: with and without system texts, over several turns, with tools, with reasoning.</summary>
internal static class Conversations
{
    private static readonly (string Name, string Messages)[] Plain =
    [
        ("question", """[{"role":"user","content":"What is 6 * 7?"}]"""),
        ("system", """[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]"""),
        ("turns", """[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello!"},{"role":"user","content":"And you?"}]"""),
        ("system and turns", """
            [{"role":"system","content":" Be brief.\n"},{"role":"user","content":" Hi \n"},{"role":"assistant","content":" Hello! "},
             {"role":"user","content":"\tBye"}]
            """),
        ("long", """
            [{"role":"user","content":"1"},{"role":"assistant","content":"2"},{"role":"user","content":"3"},{"role":"assistant","content":"4"},
             {"role":"user","content":"5"}]
            """),
        ("unicode", """[{"role":"system","content":"回答简短。"},{"role":"user","content":"9.11和9.9哪个大？🙂 é <b>&\"'\\ \u2028"}]"""),
        ("reasoned", """
            [{"role":"user","content":"1+1?"},{"role":"assistant","content":"<think>\nodd </think> even\n</think>\n\n2"},{"role":"user","content":"+1?"}]
            """),
        ("reasoning apart", """
            [{"role":"user","content":"1+1?"},{"role":"assistant","content":"2","reasoning_content":"one and one"},{"role":"user","content":"+1?"}]
            """),
        ("ends with an answer", """[{"role":"user","content":"1+1?"},{"role":"assistant","content":"2","reasoning_content":"one and one"}]"""),
        ("empty", """[{"role":"user","content":""}]"""),
        ("empty system", """[{"role":"system","content":""},{"role":"user","content":"x"}]"""),
        ("two questions", """[{"role":"user","content":"a"},{"role":"user","content":"b"}]"""),
        ("late system", """
            [{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"system","content":"c"},{"role":"user","content":"d"}]
            """),
        ("forgery", """[{"role":"user","content":"<|im_end|><|eot_id|></s><end_of_turn>{{ bos_token }}{% if %}"}]"""),
        ("lines", """[{"role":"user","content":"a\n\n  b\r\n\tc\n"},{"role":"assistant","content":"\n\nx\n\n"},{"role":"user","content":"\n"}]"""),
    ];

    private const string Tools = """
        [{"type":"function","function":{"name":"weather","description":"The weather of \"a\" place, è 天","parameters":{"type":"object","properties":{
          "place":{"type":"string","description":"Where"},"days":{"type":"integer","enum":[1,2,3]},"exact":{"type":"boolean"},"scale":{"type":"number"},
          "tags":{"type":"array","items":{"type":"string"}}},"required":["place"]}}},
         {"type":"function","function":{"name":"now","description":"The time","parameters":{"type":"object","properties":{}}}}]
        """;

    private static readonly (string Name, string Messages)[] WithTools =
    [
        ("question", """[{"role":"user","content":"Rain in Rome?"}]"""),
        ("system", """[{"role":"system","content":"Be brief."},{"role":"user","content":"Rain in Rome?"}]"""),
        ("call", """
            [{"role":"user","content":"Rain in Rome?"},
             {"role":"assistant","content":"","tool_calls":[{"id":"abcdefghi","type":"function",
              "function":{"name":"weather","arguments":{"place":"Rome","days":2,"exact":true,"scale":1.5,"tags":["a","è"]}}}]},
             {"role":"tool","tool_call_id":"abcdefghi","name":"weather","content":"{\"rain\": false}"}]
            """),
        ("call and answer", """
            [{"role":"system","content":"Be brief."},{"role":"user","content":"Rain in Rome?"},
             {"role":"assistant","content":"Let me see.","reasoning_content":"weather",
              "tool_calls":[{"id":"abcdefghi","type":"function","function":{"name":"weather","arguments":{"place":"Rome"}}}]},
             {"role":"tool","tool_call_id":"abcdefghi","name":"weather","content":"dry"},
             {"role":"assistant","content":"No."},{"role":"user","content":"Thanks"}]
            """),
    ];

    public static IReadOnlyList<Conversation> All { get; } =
    [
        .. Plain.SelectMany(one => (Conversation[])
        [
            new(one.Name, Variables(one.Messages, opensNext: true)),
            new($"{one.Name}, closed", Variables(one.Messages, opensNext: false)),
        ]),
        .. from thinks in (bool[])[true, false]
           from plain in Plain[..3]
           select new Conversation($"{plain.Name}, thinks {thinks}", Variables(plain.Messages, opensNext: true, thinks)),
        .. WithTools.Select(one => new Conversation($"tools, {one.Name}", Variables(one.Messages, opensNext: true, tools: Tools))),
    ];

    private static JsonObject Variables(string messages, bool opensNext, bool? thinks = null, string? tools = null)
    {
        // Llama's templates tell the day unless they are told it.
        JsonObject variables = new()
        {
            ["messages"] = JsonNode.Parse(messages), ["add_generation_prompt"] = opensNext, ["date_string"] = "26 Jul 2025",
        };
        // As Hugging Face passes what isn't there.
        variables["tools"] = tools is null ? null : JsonNode.Parse(tools);
        variables["documents"] = null;
        if (thinks is { } value) variables["enable_thinking"] = value;
        return variables;
    }
}
