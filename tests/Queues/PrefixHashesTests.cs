using R1Serverless.Abstractions;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues;

public sealed class PrefixHashesTests
{
    private static readonly string Long = new('x', 300);

    [Fact]
    public void The_next_turn_of_a_conversation_begins_with_all_of_the_last()
    {
        ChatMessage[] first = [System(Long), User("one")];
        var before = Of(first);
        var after = Of([.. first, new ChatMessage(ChatRole.Assistant, "answer"), User("two")]);
        Assert.Equal(2, before.Count);
        Assert.Equal(4, after.Count);
        Assert.Equal(before, after.Take(2));
        // Another conversation with the same system prompt.
        Assert.Equal(before.Take(1), Of([System(Long), User("three")]).Intersect(after));
    }

    [Fact]
    public void Of_a_long_conversation_the_first_beginning_and_the_last_ones_count()
    {
        ChatMessage[] messages = [.. Enumerable.Range(0, 40).Select(i => User($"{i}{Long}"))];
        var hashes = Of(messages);
        Assert.Equal(PrefixHashes.Most, hashes.Count);
        Assert.Equal(Of(messages[..1]), hashes.Take(1));
        Assert.Equal(Of(messages[..39])[^1], hashes[^2]);
        Assert.Equal(hashes.Count, hashes.Distinct().Count());
    }

    [Fact]
    public void Texts_and_token_ids_have_beginnings_whose_lengths_double()
    {
        Assert.Empty(Of(new Prompt.Text(new string('x', 255))));
        Assert.Equal(3, Of(new Prompt.Text(new string('x', 1500))).Count);
        Assert.Equal(Of(new Prompt.Text(Long)), Of(new Prompt.Text($"{Long}, and more")));
        Assert.Empty(Of(new Prompt.Tokens([.. Enumerable.Range(0, 63)])));
        var ids = Of(new Prompt.Tokens([.. Enumerable.Range(0, 300)]));
        Assert.Equal(3, ids.Count);
        Assert.Equal(ids.Take(1), Of(new Prompt.Tokens([.. Enumerable.Range(0, 64), 9])));
        Assert.Equal(PrefixHashes.Most, Of(new Prompt.Text(new string('x', 1 << 20))).Count);
    }

    [Fact]
    public void Models_precisions_and_salts_have_nothing_in_common()
    {
        var request = Request(new Prompt.Text(Long));
        string[] all =
        [
            .. PrefixHashes.Of(request, "a"), .. PrefixHashes.Of(request, "b"), .. PrefixHashes.Of(request with { Model = "n" }, "a"),
            .. PrefixHashes.Of(request with { Precision = new PrecisionPreference(Precision.Int8) }, "a"),
        ];
        Assert.Equal(4, all.Distinct().Count());
    }

    [Fact]
    public void Where_one_message_ends_and_by_whom_it_is_counts()
    {
        Assert.Empty(Of([User(Long + "ab"), User("c")]).Intersect(Of([User(Long + "a"), User("bc")])));
        Assert.Empty(Of([User(Long)]).Intersect(Of([System(Long)])));
    }

    [Fact]
    public void What_is_no_prompt_of_a_decoder_has_none() => Assert.Empty(Of(new Prompt.Series("k", [[1.0]])));

    private static ChatMessage System(string content) => new(ChatRole.System, content);

    private static ChatMessage User(string content) => new(ChatRole.User, content);

    private static IReadOnlyList<string> Of(ChatMessage[] messages) => Of(new Prompt.Chat(messages));

    private static IReadOnlyList<string> Of(Prompt prompt) => PrefixHashes.Of(Request(prompt), "salt");

    private static InferenceRequest Request(Prompt prompt) => new() { Id = new RequestId("r"), Model = "m", Prompt = prompt };
}
