using System.Text;
using CsCheck;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Sampling;
using R1Serverless.Engine.Text;

namespace R1Serverless.Tests.Engine;

public sealed class AnswerReaderTests
{
    private static readonly string[] Letters = ["a", "b", "\n", "é", "思", "🙂", "ab"];

    private static readonly Gen<string> Text = Gen.Int[0, 6].Select(i => Letters[i]).Array[0, 15].Select(string.Concat);

    [Fact]
    public void Reasoning_and_answer_come_apart_without_tags_and_outer_newlines()
    {
        var tokenizer = new PieceTokenizer("\n", "47+39", "\n\n", "86", "\n");
        var (deltas, reader) = Read(tokenizer, [0, 1, 2, 1, 0, tokenizer.Close, 2, 3, 4], [], split: true);
        Assert.Equal("47+39\n\n47+39", Fold(deltas, DeltaKind.Reasoning));
        Assert.Equal("86\n", Fold(deltas, DeltaKind.Answer));
        Assert.Equal(6, reader.ReasoningTokens);
    }

    [Fact]
    public void A_model_that_opens_the_tag_itself_is_read_alike()
    {
        var tokenizer = new PieceTokenizer("so ", "7");
        var (deltas, reader) = Read(tokenizer, [tokenizer.Open, 0, tokenizer.Close, 1], [], split: true, opened: false);
        Assert.Equal([new(2, DeltaKind.Reasoning, "so "), new(2, DeltaKind.Answer, "7")], deltas);
        Assert.Equal(3, reader.ReasoningTokens);
    }

    [Fact]
    public void What_came_before_an_end_of_reasoning_that_nothing_opened_was_reasoning()
    {
        var tokenizer = new PieceTokenizer("so", "\n", "7", " 8");
        var (deltas, reader) = Read(tokenizer, [0, 1, tokenizer.Close, 1, 2, tokenizer.Close, 3], [], split: true, opened: false);
        // A stream has given it as the answer by then.
        Assert.Equal("so\n7 8", Fold(deltas, DeltaKind.Answer));
        Assert.Equal(3, reader.UnopenedReasoning);
        Assert.Equal(3, reader.ReasoningTokens);
        Assert.Equal([new(DeltaKind.Reasoning, "so"), new(DeltaKind.Answer, "7 8")], Whole(deltas, reader));
    }

    [Fact]
    public void An_end_of_reasoning_that_is_text_and_that_nothing_opened_is_never_given_out()
    {
        PieceTokenizer tokenizer = new("so </", "b </thi", "nk>\n\n", "7 </think>");
        var (deltas, reader) = Read(tokenizer, [0, 1, 2, 3], ["END"], ReasoningTags.Spelled, opened: false);
        Assert.Equal("so </b 7 </think>", Fold(deltas, DeltaKind.Answer));
        Assert.Equal(3, reader.ReasoningTokens);
        Assert.Equal([new(DeltaKind.Reasoning, "so </b "), new(DeltaKind.Answer, "7 </think>")], Whole(deltas, reader));
    }

    [Fact]
    public void Where_there_was_reasoning_nothing_is_taken_back()
    {
        var tokenizer = new PieceTokenizer("a", "b");
        var (_, reader) = Read(tokenizer, [0, tokenizer.Close, 1, tokenizer.Close], [], split: true, opened: true);
        Assert.Equal(0, reader.UnopenedReasoning);
        (_, reader) = Read(tokenizer, [tokenizer.Open, 0, tokenizer.Close, 1, tokenizer.Close], [], split: true, opened: false);
        Assert.Equal(0, reader.UnopenedReasoning);
    }

    [Fact]
    public void Reasoning_cut_short_is_all_reasoning()
    {
        var (deltas, reader) = Read(new PieceTokenizer("hm", "\n"), [0, 1, 0, 1], [], split: true);
        Assert.Equal("hm\nhm", Fold(deltas, DeltaKind.Reasoning));
        Assert.Equal(4, reader.ReasoningTokens);
    }

    [Fact]
    public void A_stop_text_ends_the_answer_but_not_the_thought()
    {
        var tokenizer = new PieceTokenizer("one EN", "D two", "never");
        var (deltas, reader) = Read(tokenizer, [0, 1, tokenizer.Close, 0, 1, 2], ["END"], split: true);
        Assert.Equal("one END two", Fold(deltas, DeltaKind.Reasoning));
        Assert.Equal("one ", Fold(deltas, DeltaKind.Answer));
        Assert.True(reader.Stopped);
    }

    [Fact]
    public void Newlines_before_the_answer_do_not_match_a_stop_text()
    {
        var tokenizer = new PieceTokenizer("\n\n", "86");
        var (deltas, _) = Read(tokenizer, [tokenizer.Close, 0, 1, 0, 1], ["\n\n"], split: true);
        Assert.Equal("86", Fold(deltas, DeltaKind.Answer));
    }

    [Fact]
    public void Raw_text_is_kept_as_it_was_generated_and_stops_anywhere()
    {
        var (deltas, reader) = Read(new PieceTokenizer("\n a", "\n", "#"), [0, 1, 2, 0], ["#"], split: false);
        Assert.Equal("\n a\n", Fold(deltas, DeltaKind.Answer));
        Assert.True(reader.Stopped);
        Assert.Equal(0, reader.ReasoningTokens);
    }

    [Fact]
    public void What_only_looked_like_a_stop_text_comes_with_the_next_token()
    {
        var (deltas, _) = Read(new PieceTokenizer("x\n", "\nUs", "ual", "\n\nU"), [0, 1, 2, 3], ["\n\nUser:"], split: false);
        Assert.Equal(["x", "\n\nUsual", "\n\nU"], deltas.Select(d => d.Text));
    }

    [Fact]
    public void Text_that_holds_nothing_back_comes_with_its_own_token()
    {
        var (deltas, _) = Read(new PieceTokenizer("a", "b", "c"), [0, 1, 2], ["zz"], split: true);
        Assert.Equal(["a", "b", "c"], deltas.Select(d => d.Text));
    }

    [Fact]
    public void Half_a_character_waits_for_the_other_half_and_an_orphan_is_marked()
    {
        var bytes = Encoding.UTF8.GetBytes("思");
        var (deltas, _) = Read(new PieceTokenizer([bytes[..1], bytes[1..]]), [0, 1, 0], [], split: false);
        Assert.Equal(["思", "\uFFFD"], deltas.Select(d => d.Text));
    }

    [Fact]
    public void Probabilities_come_with_the_text_of_their_token()
    {
        var bytes = Encoding.UTF8.GetBytes("思");
        var tokenizer = new PieceTokenizer("\n"u8.ToArray(), bytes[..1], bytes[1..], "ST"u8.ToArray(), "OP"u8.ToArray(), "end"u8.ToArray());
        var reader = new AnswerReader(0, tokenizer, ["STOP"], tokenizer.Tags, opensReasoning: false);
        List<InferenceEvent.Delta> deltas = [];
        int[] ids = [0, 1, 2, 3, 5, 3, 4];
        foreach (var id in ids)
        {
            reader.Append(new SampledToken(id, -id, [new(5, -1), new(id, -id)]), deltas);
            reader.Flush(deltas);
        }

        reader.Finish(deltas);

        Assert.Equal(["思", "STend"], deltas.Select(d => d.Text));
        Assert.Equal([[-1, -2], [-3, -5]], deltas.Select(d => d.Logprobs!.Select(l => l.Logprob).ToArray()));
        var first = deltas[0].Logprobs![0];
        Assert.Equal(bytes[..1], first.Bytes);
        // Bytes that are no character have names of their own, which no other bytes have.
        Assert.Equal(["end", @"bytes:\xe6"], first.Top.Select(t => t.Token));
        Assert.Equal(@"bytes:\x80\x9d", deltas[0].Logprobs![1].Token);
    }

    [Fact]
    public void However_the_text_is_cut_into_tokens_it_reads_the_same() =>
        Gen.Select(Text, Text, Gen.Char["ab\n思"].Array[1, 3].Select(c => new string(c)).Array[0, 4], Gen.Int[1, 5], Gen.Bool).Sample(
            (thought, answer, stops, size, split) =>
            {
                var thoughtPieces = Encoding.UTF8.GetBytes(thought).Chunk(size).ToArray();
                var answerPieces = Encoding.UTF8.GetBytes(answer).Chunk(size).ToArray();
                var tokenizer = new PieceTokenizer([.. thoughtPieces, .. answerPieces]);
                var ids = Enumerable.Range(0, thoughtPieces.Length + answerPieces.Length).ToList();
                if (split) ids.Insert(thoughtPieces.Length, tokenizer.Close);
                var (deltas, reader) = Read(tokenizer, ids, stops, split);

                var (expected, stopped) = Cut(split ? answer.TrimStart('\n') : thought + answer, stops);
                Assert.Equal(expected, Fold(deltas, DeltaKind.Answer));
                Assert.Equal(split ? thought.Trim('\n') : "", Fold(deltas, DeltaKind.Reasoning));
                Assert.Equal(stopped, reader.Stopped);
                Assert.All(deltas, d => Assert.NotEqual("", d.Text));
            },
            iter: 5000);

    [Fact]
    public void Tags_that_are_text_are_found_across_tokens_and_never_given_out()
    {
        var tokenizer = new PieceTokenizer("<th", "ink>", "\n", "so </", "not> 7", "</thi", "nk>\n", "\n8", " <think>");
        var (deltas, reader) = Read(tokenizer, [0, 1, 2, 3, 4, 2, 5, 6, 7, 8], [], ReasoningTags.Spelled, opened: false);
        Assert.Equal("so </not> 7", Fold(deltas, DeltaKind.Reasoning));
        Assert.Equal("8 <think>", Fold(deltas, DeltaKind.Answer));
        Assert.Equal(8, reader.ReasoningTokens);
    }

    [Fact]
    public void A_prompt_that_opened_a_spelled_tag_leaves_only_its_end_to_find()
    {
        var (deltas, _) = Read(new PieceTokenizer("a", "</think>b"), [0, 1], [], ReasoningTags.Spelled, opened: true);
        Assert.Equal([new(2, DeltaKind.Reasoning, "a"), new(2, DeltaKind.Answer, "b")], deltas);
    }

    [Fact]
    public void What_only_began_like_a_spelled_tag_is_text()
    {
        Assert.Equal("<thin", Fold(Read(new PieceTokenizer("<thi", "n"), [0, 1], [], ReasoningTags.Spelled, opened: false).Deltas, DeltaKind.Answer));
        Assert.Equal("<thx", Fold(Read(new PieceTokenizer("<th", "x"), [0, 1], [], ReasoningTags.Spelled, opened: false).Deltas, DeltaKind.Answer));
        Assert.Equal("a\n</think",
            Fold(Read(new PieceTokenizer("a\n", "</think"), [0, 1], [], ReasoningTags.Spelled, opened: true).Deltas, DeltaKind.Reasoning));
        Assert.Equal("a <think> </think>",
            Fold(Read(new PieceTokenizer("a <think>", " </think>"), [0, 1], [], ReasoningTags.Spelled, opened: false).Deltas, DeltaKind.Answer));
        Assert.Equal("<", Fold(Read(new PieceTokenizer("<t", "h"), [0, 1], ["th"], ReasoningTags.Spelled, opened: false).Deltas, DeltaKind.Answer));
    }

    [Fact]
    public void However_spelled_tags_are_cut_into_tokens_they_read_the_same() =>
        Gen.Select(Text, Text, Gen.Char["ab\n<"].Array[1, 3].Select(c => new string(c)).Array[0, 2], Gen.Int[1, 9], Gen.Bool).Sample(
            (thought, answer, stops, size, opened) =>
            {
                var text = $"{(opened ? "" : "<think>")}{thought}</think>{answer}";
                var pieces = Encoding.UTF8.GetBytes(text).Chunk(size).ToArray();
                var (deltas, reader) = Read(new PieceTokenizer(pieces), Enumerable.Range(0, pieces.Length), stops, ReasoningTags.Spelled, opened);
                var (expected, stopped) = Cut(answer.TrimStart('\n'), stops);
                Assert.Equal(expected, Fold(deltas, DeltaKind.Answer));
                Assert.Equal(thought.Trim('\n'), Fold(deltas, DeltaKind.Reasoning));
                Assert.Equal(stopped, reader.Stopped);
                Assert.All(deltas, d => Assert.NotEqual("", d.Text));
            },
            iter: 5000);

    private static (string Text, bool Stopped) Cut(string text, string[] stops)
    {
        for (var end = 1; end <= text.Length; end++)
        {
            var ended = stops.Where(s => text[..end].EndsWith(s, StringComparison.Ordinal)).ToArray();
            if (ended.Length > 0) return (text[..(end - ended.Max(s => s.Length))], true);
        }

        return (text, false);
    }

    private static (List<InferenceEvent.Delta> Deltas, AnswerReader Reader) Read(
        PieceTokenizer tokenizer, IEnumerable<int> ids, string[] stops, bool split, bool opened = true) =>
        Read(tokenizer, ids, stops, split ? tokenizer.Tags : null, opened);

    private static (List<InferenceEvent.Delta> Deltas, AnswerReader Reader) Read(
        PieceTokenizer tokenizer, IEnumerable<int> ids, string[] stops, ReasoningTags? tags, bool opened)
    {
        var reader = new AnswerReader(2, tokenizer, stops, tags, opened);
        List<InferenceEvent.Delta> deltas = [];
        foreach (var id in ids)
        {
            reader.Append(new SampledToken(id), deltas);
            reader.Flush(deltas);
        }

        reader.Finish(deltas);
        return (deltas, reader);
    }

    /// <summary>The parts of an answer that is given as a whole.</summary>
    private static IReadOnlyList<TextPart> Whole(IReadOnlyList<InferenceEvent.Delta> deltas, AnswerReader reader)
    {
        ResultFold fold = new(new RequestId("1"));
        foreach (var delta in deltas) fold.Add(delta with { Choice = 0 });
        fold.Add(new InferenceEvent.ChoiceFinished(0, FinishReason.Stop, reader.UnopenedReasoning));
        fold.Add(new InferenceEvent.Finished(new Usage(0, 0, 0)));
        return fold.Result().Choices[0].WholeParts();
    }

    private static string Fold(IEnumerable<InferenceEvent.Delta> deltas, DeltaKind kind) =>
        string.Concat(deltas.Where(d => d.Kind == kind).Select(d => d.Text));
}
