using System.Text;
using CsCheck;
using R1Serverless.Generation;
using R1Serverless.Requests;

namespace R1Serverless.Tests.Generation;

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
        Assert.Equal(["end", "\uFFFD"], first.Top.Select(t => t.Token));
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
        PieceTokenizer tokenizer, IEnumerable<int> ids, string[] stops, bool split, bool opened = true)
    {
        var reader = new AnswerReader(2, tokenizer, stops, split ? tokenizer.Tags : null, opened);
        List<InferenceEvent.Delta> deltas = [];
        foreach (var id in ids)
        {
            reader.Append(new SampledToken(id), deltas);
            reader.Flush(deltas);
        }

        reader.Finish(deltas);
        return (deltas, reader);
    }

    private static string Fold(IEnumerable<InferenceEvent.Delta> deltas, DeltaKind kind) => string.Concat(deltas.Where(d => d.Kind == kind).Select(d => d.Text));
}
