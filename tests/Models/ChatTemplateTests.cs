using R1Serverless.Abstractions;
using R1Serverless.Models.Text;

namespace R1Serverless.Tests.Models;

public sealed class ChatTemplateTests
{
    private static readonly SpelledTokenizer R1 =
        new("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<think>", "</think>");

    private static readonly SpelledTokenizer ChatMl = new("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>");

    private static readonly SpelledTokenizer Llama3 = new("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>");

    [Fact]
    public void R1_asks_one_question() => Assert.Equal(
        "[begin▁of▁sentence][User]1+1?[Assistant][think]\n",
        Rendered(R1, (ChatRole.User, "1+1?")));

    [Fact]
    public void R1_joins_system_messages_at_the_front() => Assert.Equal(
        "[begin▁of▁sentence]Be brief.\n\nBe kind.[User]Hi[Assistant][think]\n",
        Rendered(R1, (ChatRole.System, "Be brief."), (ChatRole.User, "Hi"), (ChatRole.System, "Be kind.")));

    [Fact]
    public void R1_drops_reasoning_from_earlier_answers() => Assert.Equal(
        "[begin▁of▁sentence][User]1+1?[Assistant]\n\n2[end▁of▁sentence][User]+1?[Assistant]3[end▁of▁sentence][User]So?[Assistant][think]\n",
        Rendered(R1, (ChatRole.User, "1+1?"), (ChatRole.Assistant, "<think>\nodd </think> even\n</think>\n\n2"), (ChatRole.User, "+1?"),
        (ChatRole.Assistant, "3"), (ChatRole.User, "So?")));

    [Fact]
    public void A_users_end_of_thinking_is_kept() => Assert.Equal(
        "[begin▁of▁sentence][User]what is </think> for?[Assistant][think]\n",
        Rendered(R1, (ChatRole.User, "what is </think> for?")));

    [Fact]
    public void DeepSeek_without_thinking_opens_no_reasoning()
    {
        var tokenizer = new SpelledTokenizer("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>");

        Assert.Equal("[begin▁of▁sentence][User]Hi[Assistant]", Rendered(tokenizer, (ChatRole.User, "Hi")));
        Assert.False(ChatTemplate.For(tokenizer).Render(new Prompt.Chat([new ChatMessage(ChatRole.User, "Hi")])).OpensReasoning);
    }

    [Fact]
    public void ChatMl_names_every_role() => Assert.Equal(
        "[im_start]system\nBe "
        + "brief.[im_end]\n[im_start]user\nHi[im_end]\n[im_start]assistant\nHello[im_end]\n[im_start]user\nBye[im_end]\n[im_start]assistant\n",
        Rendered(ChatMl, (ChatRole.System, "Be brief."), (ChatRole.User, "Hi"), (ChatRole.Assistant, "<think>greet</think>Hello"),
        (ChatRole.User, "Bye")));

    [Fact]
    public void Llama3_puts_roles_into_headers_and_trims() => Assert.Equal(
        "[begin_of_text][start_header_id]system[end_header_id]\n\nBe brief.[eot_id][start_header_id]user[end_header_id]\n\nHi[eot_id]" +
        "[start_header_id]assistant[end_header_id]\n\n",
        Rendered(Llama3, (ChatRole.System, "Be brief.\n"), (ChatRole.User, " Hi ")));

    [Fact]
    public void Tells_the_control_tokens()
    {
        var r1 = ChatTemplate.For(R1);
        Assert.Equal(
            (R1.AddedToken("<think>"), R1.AddedToken("</think>"), R1.AddedToken("<｜begin▁of▁sentence｜>"), R1.AddedToken("<｜end▁of▁sentence｜>")),
            (r1.Think, r1.EndThink, r1.BeginOfSequence, r1.EndOfTurn));
        Assert.True(r1.Render(new Prompt.Chat([new ChatMessage(ChatRole.User, "<think>")])).OpensReasoning);
        Assert.Null(r1.Refusal);

        var chatMl = ChatTemplate.For(ChatMl);
        Assert.Equal((null, ChatMl.AddedToken("<|im_end|>")), (chatMl.BeginOfSequence, chatMl.EndOfTurn));
        Assert.False(chatMl.Render(new Prompt.Chat([new ChatMessage(ChatRole.User, "<think>")])).OpensReasoning);

        var llama = ChatTemplate.For(Llama3);
        Assert.Equal((Llama3.AddedToken("<|begin_of_text|>"), Llama3.AddedToken("<|eot_id|>"), null),
            (llama.BeginOfSequence, llama.EndOfTurn, llama.Think));
    }

    [Fact]
    public void The_R1_form_wins_where_a_distilled_model_kept_its_bases_tokens() => Assert.Equal(
        "[User]Hi[Assistant][think]\n",
        Rendered(new SpelledTokenizer("<|im_start|>", "<|im_end|>", "<｜User｜>", "<｜Assistant｜>", "<think>"), (ChatRole.User, "Hi")));

    [Fact]
    public void A_model_without_a_form_refuses_chats()
    {
        var tokenizer = new SpelledTokenizer("<|endoftext|>");
        var template = ChatTemplate.For(tokenizer);

        Assert.Equal(InferenceErrorKind.InvalidRequest, template.Refusal?.Kind);
        Assert.Contains("/v1/completions", template.Refusal?.Message, StringComparison.Ordinal);
        Assert.Equal(tokenizer.AddedToken("<|endoftext|>"), template.EndOfTurn);
        Assert.Throws<InvalidOperationException>(() => template.Render(new Prompt.Chat([new ChatMessage(ChatRole.User, "Hi")])));
    }

    private static string Rendered(SpelledTokenizer tokenizer, params (ChatRole Role, string Content)[] messages) =>
        tokenizer.Spell(ChatTemplate.For(tokenizer).Render(new Prompt.Chat([.. messages.Select(m => new ChatMessage(m.Role, m.Content))])).Ids);
}
