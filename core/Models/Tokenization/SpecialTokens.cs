using System.Text.Json;

namespace R1Serverless.Models.Tokenization;

/// <summary>What stands around an encoder's texts, and the type of each token: the <c>post_processor</c> of a tokenizer.json.</summary>
/// <param name="Single">Of one text.</param>
/// <param name="Pair">Of two; null where two can't be given.</param>
internal sealed record SpecialTokens(IReadOnlyList<TemplatePart> Single, IReadOnlyList<TemplatePart>? Pair)
{
    private const string Supported = "TemplateProcessing, BertProcessing and RobertaProcessing are supported";

    /// <summary>Nothing around a text.</summary>
    private static readonly SpecialTokens None = new([TemplatePart.First(0)], [TemplatePart.First(0), TemplatePart.Second(1)]);

    /// <exception cref="UnsupportedTokenizerException">It does anything else.</exception>
    public static SpecialTokens Parse(JsonElement? description) => description is { } stage ? Of(stage) ?? None : None;

    /// <summary>Tokens that are put around.</summary>
    public static int Added(IReadOnlyList<TemplatePart> parts) => parts.Sum(part => part.Ids.Count);

    private static SpecialTokens? Of(JsonElement stage)
    {
        switch (stage.Text("type"))
        {
            case "TemplateProcessing":
                return Template(stage);
            case "BertProcessing":
                int begin = Id(stage, "cls"), end = Id(stage, "sep");
                return new SpecialTokens(
                    [TemplatePart.Of(0, begin), TemplatePart.First(0), TemplatePart.Of(0, end)],
                    [TemplatePart.Of(0, begin), TemplatePart.First(0), TemplatePart.Of(0, end), TemplatePart.Second(1), TemplatePart.Of(1, end)]);
            case "RobertaProcessing":
                int first = Id(stage, "cls"), last = Id(stage, "sep");
                return new SpecialTokens(
                    [TemplatePart.Of(0, first), TemplatePart.First(0), TemplatePart.Of(0, last)],
                    [
                        TemplatePart.Of(0, first), TemplatePart.First(0), TemplatePart.Of(0, last, last), TemplatePart.Second(0),
                            TemplatePart.Of(0, last),
                    ]);
            case "ByteLevel":
                // Only where tokens lie in the text, which nobody asks for.
                return null;
            case "Sequence":
                SpecialTokens?[] stages = [.. stage.GetProperty("processors").EnumerateArray().Select(Of).Where(one => one is not null)];
                return stages.Length <= 1 ? stages.FirstOrDefault()
                    : throw new UnsupportedTokenizerException("The post_processor of tokenizer.json puts tokens around a text in several stages; one "
                    + "stage is supported.");
            case var other:
                throw new UnsupportedTokenizerException($"The post_processor of tokenizer.json is '{other}'; {Supported}.");
        }
    }

    private static SpecialTokens Template(JsonElement stage)
    {
        var tokens = stage.Member("special_tokens");
        return new SpecialTokens(Parts("single"), stage.Member("pair") is { } ? Parts("pair") : null);

        TemplatePart[] Parts(string name) => [.. stage.GetProperty(name).EnumerateArray().Select(part => Part(part, tokens))];
    }

    private static TemplatePart Part(JsonElement part, JsonElement? tokens)
    {
        if (part.Member("Sequence") is { } sequence)
        {
            var type = sequence.GetProperty("type_id").GetInt32();
            return sequence.Text("id") == "B" ? TemplatePart.Second(type) : TemplatePart.First(type);
        }

        var special = part.GetProperty("SpecialToken");
        var ids = tokens?.Member(special.Text("id"))?.GetProperty("ids")
            ?? throw new UnsupportedTokenizerException($"The post_processor of tokenizer.json does not say what '{special.Text("id")}' is.");
        return TemplatePart.Of(special.GetProperty("type_id").GetInt32(), [.. ids.EnumerateArray().Select(id => id.GetInt32())]);
    }

    private static int Id(JsonElement stage, string name) => stage.GetProperty(name)[1].GetInt32();
}

/// <summary>A part of what an encoder reads.</summary>
/// <param name="Text">0 for the first text, 1 for the second, null for special tokens.</param>
/// <param name="Ids">Of special tokens; else empty.</param>
/// <param name="Type">Of its tokens: token_type_ids.</param>
internal sealed record TemplatePart(int? Text, IReadOnlyList<int> Ids, int Type)
{
    public static TemplatePart First(int type) => new(0, [], type);

    public static TemplatePart Second(int type) => new(1, [], type);

    public static TemplatePart Of(int type, params int[] ids) => new(null, ids, type);
}
