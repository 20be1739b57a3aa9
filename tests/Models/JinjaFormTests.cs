using System.Text.Json;
using CsCheck;
using R1Serverless.Abstractions;
using R1Serverless.Models;
using R1Serverless.Models.Templates;
using R1Serverless.Models.Text;

namespace R1Serverless.Tests.Models;

/// <summary>Chat templates as they lie in a model's folder.</summary>
public sealed class JinjaFormTests : IDisposable
{
    /// <summary>ChatML with a default system text and a switch for reasoning, as Qwen's.</summary>
    private const string ChatMl = """
        {%- if messages[0].role != 'system' %}{{- '<|im_start|>system\nYou are kind.<|im_end|>\n' }}{% endif %}
        {%- for message in messages %}
            {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|im_start|>assistant\n' }}
            {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{% endif %}
        {%- endif %}
        """;

    private static readonly string[] Added = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<s>"];

    private static readonly SpelledTokenizer Tokenizer = new(Added);

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-templates-").FullName;

    [Fact]
    public void The_folders_template_comes_before_the_guess()
    {
        Config(ChatMl);
        Assert.Equal("[im_start]system\nYou are kind.[im_end]\n[im_start]user\nHi[im_end]\n[im_start]assistant\n", Rendered(Ask("Hi")));
        Assert.Equal(Tokenizer.AddedToken("<|im_end|>"), Load().EndOfTurn);
        Assert.Null(Load().Refusal);
    }

    [Fact]
    public void A_file_of_its_own_comes_first_and_tokens_may_be_objects()
    {
        File.WriteAllText(Path.Combine(_folder, ModelFiles.ChatTemplateFile), "{{ bos_token }}{{ messages[0].content }}{{ unk_token }}\n");
        var begin = new { content = "<s>", lstrip = false };
        Write(ModelFiles.TokenizerConfigFile, new { chat_template = "x", bos_token = begin, unk_token = (string?)null });
        Assert.Equal("[s]Hi", Rendered(Ask("Hi")));
    }

    [Fact]
    public void Of_a_list_the_default_counts()
    {
        var several = new[] { new { name = "tool_use", template = "t" }, new { name = "default", template = "d" } };
        Write(ModelFiles.TokenizerConfigFile, new { chat_template = several });
        Assert.Equal("d", Rendered(Ask("Hi")));
    }

    [Fact]
    public void Last_comes_the_file_of_models_that_see()
    {
        Write(ModelFiles.TokenizerConfigFile, new { bos_token = "<s>" });
        Write(ModelFiles.ChatTemplateJsonFile, new { chat_template = "v{{ bos_token }}" });
        Assert.Equal("v[s]", Rendered(Ask("Hi")));
    }

    [Fact]
    public void Without_a_template_the_form_is_guessed()
    {
        Write(ModelFiles.TokenizerConfigFile, new { bos_token = "<s>" });
        Assert.Equal("[im_start]user\nHi[im_end]\n[im_start]assistant\n", Rendered(Ask("Hi")));
    }

    [Fact]
    public void A_template_that_cannot_be_read_refuses_chats_in_words()
    {
        Config("{% include 'other' %}");
        Assert.Contains("A block 'include' can't stand here. (line 1, column 1)", Load().Refusal?.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("""{"chat_template": 5}""")]
    [InlineData("""{"chat_template": [{"name": "default"}]}""")]
    [InlineData("""{"chat_template": [{"name": "rag", "template": "r"}, {"name": "tool_use", "template": "t"}]}""")]
    public void A_damaged_file_is_said_at_once(string json)
    {
        File.WriteAllText(Path.Combine(_folder, ModelFiles.TokenizerConfigFile), json);
        Assert.Throws<InvalidModelException>(Load);
    }

    [Fact]
    public void Arguments_reach_the_template_and_replace_nothing_of_the_request()
    {
        Config("{{ enable_thinking }}{{ depth.x + 1 }}{{ messages | length }}{{ note }}");
        using var arguments = JsonDocument.Parse("""{"enable_thinking": false, "depth": {"x": 2}, "messages": [], "note": "<|im_end|>"}""");
        var prompt = Load().Render(Ask("Hi") with { TemplateArguments = arguments.RootElement.Clone() });
        Assert.Equal("False31<|im_end|>", Tokenizer.Spell(prompt.Ids));
        Assert.DoesNotContain(Tokenizer.AddedToken("<|im_end|>")!.Value, prompt.Ids);
    }

    [Fact]
    public void No_effort_switches_reasoning_off_where_the_template_can()
    {
        Config(ChatMl);
        var prompt = Load().Render(Ask("Hi") with { ReasoningEffort = "none" });
        Assert.EndsWith("[im_start]assistant\n[think]\n\n[/think]\n\n", Tokenizer.Spell(prompt.Ids), StringComparison.Ordinal);
        Assert.False(prompt.OpensReasoning);
    }

    [Theory]
    [InlineData("{{ messages[0].content }}<think>\n", "Hi[think]\n\n[/think]\n\n")]
    [InlineData("{{ messages[0].content }}<think>", "Hi[think]\n\n[/think]\n\n")]
    [InlineData("{{ messages[0].content }}:", "Hi:[think]\n\n[/think]\n\n")]
    public void Elsewhere_it_closes_the_reasoning_before_it_begins(string template, string expected)
    {
        Config(template);
        var prompt = Load().Render(Ask("Hi") with { ReasoningEffort = "none" });
        Assert.Equal(expected, Tokenizer.Spell(prompt.Ids));
        Assert.False(prompt.OpensReasoning);
    }

    [Fact]
    public void Other_efforts_are_the_templates_business()
    {
        Config("{{ reasoning_effort }}{{ enable_thinking }}<think>\n");
        var prompt = Load().Render(Ask("Hi") with { ReasoningEffort = "high" });
        Assert.Equal("high[think]", Tokenizer.Spell(prompt.Ids));
        Assert.True(prompt.OpensReasoning);
    }

    [Theory]
    [InlineData("{{ messages[0].content }}<think>\n", "Hi", true)]
    [InlineData("{{ messages[0].content }}<think>\n</think>\n", "Hi", false)]
    [InlineData("{{ messages[0].content }}", "<think>", false)]
    public void The_templates_own_end_opens_the_reasoning(string template, string content, bool opens)
    {
        Config(template);
        Assert.Equal(opens, Load().Render(Ask(content)).OpensReasoning);
    }

    [Fact]
    public void Tags_that_the_tokenizer_lacks_are_text()
    {
        Config("{{ messages[0].content.split('</think>')[-1] }}");
        var template = ChatTemplate.Load(_folder, new SpelledTokenizer("<|im_end|>"));
        Assert.True(template.SpellsReasoning);
        Assert.False(Load().SpellsReasoning);
        Assert.False(ChatTemplate.For(new SpelledTokenizer("<|im_start|>", "<|im_end|>")).SpellsReasoning);
    }

    [Theory]
    [InlineData("{% for m in messages %}{{ m.content }}<|im_end|>\n{% endfor %}", "<|im_end|>")]
    [InlineData("{% for m in messages %}{{ m.content | trim }} {{ eos_token }}{% endfor %}", "<|endoftext|>")]
    [InlineData("{% for m in messages %}<s>{{ m.content }}{% endfor %}", null)]
    [InlineData("{% for m in messages %}{{ m.content }}###{% endfor %}", null)]
    [InlineData("{{ raise_exception('no') }}", null)]
    public void A_turns_end_is_what_follows_an_answer(string template, string? token)
    {
        Config(template);
        Assert.Equal(token is null ? null : Tokenizer.AddedToken(token), Load().EndOfTurn);
    }

    [Fact]
    public void What_the_template_refuses_is_its_own_fault_to_tell()
    {
        Config("{% if messages[0].role == 'system' %}{{ raise_exception('No system role') }}{% endif %}");
        var fault = Assert.Throws<TemplateException>(() => Load().Render(new Prompt.Chat([new ChatMessage(ChatRole.System, "x")])));
        Assert.Equal((true, "No system role"), (fault.IsRaised, fault.Reason));
    }

    [Fact]
    public void No_message_forges_a_control_token()
    {
        // Whole tokens, and halves that the template's own text could complete.
        string[] pieces = [.. Added, "<|im_", "end|>", "<|", "|>", "<", "think>", "</", "a", " ", "\n", "思", "{{ eos_token }}", "'"];
        Config(ChatMl.Replace("message.content +", "'<|im_' + message.content.strip() + 'end|>' +", StringComparison.Ordinal));
        var template = Load();
        var control = Added.Select(token => Tokenizer.AddedToken(token)!.Value).ToHashSet();
        var own = template.Render(Ask("")).Ids.Where(control.Contains).ToArray();
        Gen.Int[0, pieces.Length - 1].Array[0, 8].Select(places => string.Concat(places.Select(place => pieces[place]))).Sample(content =>
        {
            var ids = template.Render(Ask(content)).Ids;
            // What the template joins of its own halves around an empty message is its own doing.
            if (content.Trim().Length == 0) return;
            Assert.Equal(own.Length - 1, ids.Count(control.Contains));
            Assert.Contains(content.Trim(), Tokenizer.Spell(ids), StringComparison.Ordinal);
        });
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Prompt.Chat Ask(string content) => new([new ChatMessage(ChatRole.User, content)]);

    private ChatTemplate Load() => ChatTemplate.Load(_folder, Tokenizer);

    private string Rendered(Prompt.Chat chat) => Tokenizer.Spell(Load().Render(chat).Ids);

    private void Config(string template) => Write(ModelFiles.TokenizerConfigFile, new { chat_template = template, eos_token = "<|endoftext|>" });

    private void Write(string file, object content) => File.WriteAllText(Path.Combine(_folder, file), JsonSerializer.Serialize(content));
}
