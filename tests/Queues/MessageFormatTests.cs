using System.Text;
using System.Text.Json.Nodes;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Series;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues;

public sealed class MessageFormatTests
{
    private static readonly InferenceRequest Full = new()
    {
        Id = new RequestId("r1"),
        Model = "m",
        Prompt = new Prompt.Chat([new ChatMessage(ChatRole.System, "be brief"), new ChatMessage(ChatRole.User, "7 × 8 = ? 🙂")]),
        Owner = "k1",
        CacheSalt = "s",
        Deadline = TimeSpan.FromSeconds(90.5),
        Precision = new PrecisionPreference(Precision.Int8, 0.5),
        Sampling = new SamplingOptions
        {
            Temperature = 0.6f, TopP = 0.95f, TopK = 5, MinP = 0.1f, RepetitionPenalty = 1.2f, Seed = long.MaxValue, FrequencyPenalty = 1,
            LogitBias = new Dictionary<int, float> { [7] = -100 }
        },
        MaxTokens = 77,
        Stop = ["\n", "END"],
        IgnoreEndOfSequence = true,
        Choices = 3,
        TopLogprobs = 2,
    };

    [Fact]
    public void What_a_template_is_told_travels_along()
    {
        using var arguments = System.Text.Json.JsonDocument.Parse("""{"enable_thinking":false,"é":[1.50,null,"🙂"]}""");
        var chat = new Prompt.Chat([new ChatMessage(ChatRole.User, "?")]) { ReasoningEffort = "none", TemplateArguments = arguments.RootElement };
        QueuedRequest sent = new() { Request = Full with { Prompt = chat }, Class = WorkClass.Bulk };

        var back = (Prompt.Chat)MessageFormat.ReadRequest(MessageFormat.Write(sent)).Request.Prompt;

        Assert.Equal("none", back.ReasoningEffort);
        Assert.True(System.Text.Json.JsonElement.DeepEquals(arguments.RootElement, back.TemplateArguments!.Value));
    }

    public static TheoryData<string> Broken =>
        ["", "null", "[]", "{}", "7", """{"version":1}""", """{"version":2,"body":{}}""", """{"version":1,"body":{"class":"bulk"}}""",
        "{\"version\":1,\"body\":\u0000"];

    [Fact]
    public void A_request_comes_back_as_it_went()
    {
        QueuedRequest sent = new() { Request = Full, Class = WorkClass.Bulk, ReplyTo = "g1", Batch = "b1", TraceParent = "00-1-2-01" };

        var back = MessageFormat.ReadRequest(MessageFormat.Write(sent));

        Assert.Equivalent(sent, back, strict: true);
        Assert.Equal(((Prompt.Chat)Full.Prompt).Messages, ((Prompt.Chat)back.Request.Prompt).Messages);
        Assert.Equal(Full.Sampling.LogitBias, back.Request.Sampling.LogitBias);
    }

    [Fact]
    public void What_a_request_leaves_out_stays_out()
    {
        InferenceRequest least = new() { Id = new RequestId("r2"), Model = "m", Prompt = new Prompt.Tokens([1, 2, 3]) };

        var back = MessageFormat.ReadRequest(MessageFormat.Write(new QueuedRequest { Request = least, Class = WorkClass.Interactive })).Request;

        Assert.Equivalent(least, back, strict: true);
        Assert.Equal([1, 2, 3], ((Prompt.Tokens)back.Prompt).Ids);
        Assert.Equal(1, back.Choices);
    }

    [Fact]
    public void Several_prompts_and_candidates_come_back_as_they_went()
    {
        var list = Full with { Prompt = new Prompt.List([new Prompt.Text("a"), new Prompt.Tokens([1, 2])]), BestOf = 4, Echo = true };

        var back = MessageFormat.ReadRequest(MessageFormat.Write(new QueuedRequest { Request = list, Class = WorkClass.Bulk })).Request;

        var prompts = Assert.IsType<Prompt.List>(back.Prompt).Prompts;
        Assert.Equal("a", Assert.IsType<Prompt.Text>(prompts[0]).Value);
        Assert.Equal([1, 2], Assert.IsType<Prompt.Tokens>(prompts[1]).Ids);
        Assert.Equal((4, true), (back.BestOf, back.Echo));
    }

    [Fact]
    public void Texts_of_an_encoder_come_back_as_they_went()
    {
        var sent = new Prompt.Texts(TextTask.Rank, [new TextInput("a", "b"), new TextInput(null, Tokens: [1, 2])])
        {
            Dimensions = 3, Truncation = TextTruncation.Left, RawScores = true,
        };
        QueuedRequest queued = new() { Request = Full with { Prompt = sent }, Class = WorkClass.Bulk };
        var back = MessageFormat.ReadRequest(MessageFormat.Write(queued));
        Assert.Equivalent(sent, Assert.IsType<Prompt.Texts>(back.Request.Prompt), strict: true);
    }

    [Fact]
    public void Events_of_a_series_and_its_answer_come_back_as_they_went()
    {
        var sent = new Prompt.Series("pump 7", [[0.1, -2], [3, 1e300]])
        {
            Sequence = 5, History = [[1, 2]], Threshold = 0.7, Outputs = ["y"], IsRemoval = true,
        };
        QueuedRequest queued = new() { Request = Full with { Prompt = sent }, Class = WorkClass.Bulk };
        var back = MessageFormat.ReadRequest(MessageFormat.Write(queued));
        Assert.Equivalent(sent, Assert.IsType<Prompt.Series>(back.Request.Prompt), strict: true);

        SeriesAnswer answer = new()
        {
            Key = "pump 7", First = 5, Next = 7, Decisions = [new SeriesDecision(6, double.NaN, "ill")], Threshold = 0.7, Missing = 3, Steps = 2,
            IsRebuilt = true, Queued = TimeSpan.FromMilliseconds(1.5),
        };
        InferenceResult result = new()
        {
            Id = new RequestId("r4"), Outcome = RequestOutcome.Finished, Series = answer, Usage = new Usage(0, 0, 0),
        };
        Assert.Equivalent(result, MessageFormat.ReadResult(MessageFormat.Write(result)), strict: true);

        Tensor output = new("y", TensorType.UInt8, [2], new byte[] { 1, 2 });
        result = result with { Series = answer with { Outputs = [output] } };
        var given = Assert.Single(MessageFormat.ReadResult(MessageFormat.Write(result)).Series!.Outputs);
        Assert.Equal((output.Name, output.Type), (given.Name, given.Type));
        Assert.Equal(output.Data.ToArray(), given.Data.ToArray());
    }

    [Fact]
    public void A_result_comes_back_as_it_went()
    {
        ResultFold fold = new(new RequestId("r3"));
        foreach (var inferenceEvent in Events()) fold.Add(inferenceEvent);
        var sent = fold.Result();

        var back = MessageFormat.ReadResult(MessageFormat.Write(sent));

        Assert.Equivalent(sent, back, strict: true);
        Assert.Equal(["think ", "56"], back.Choices[0].Parts.Select(part => part.Text));
        Assert.Equal(float.NegativeInfinity, back.Choices[0].Logprobs![0].Top[0].Logprob);
    }

    [Fact]
    public void Replies_come_back_as_they_went()
    {
        Reply[] sent = [new Reply(new RequestId("r4"), 2, 17, [.. Events()]),
            new Reply(new RequestId("r5"), 1, 0,
                [new InferenceEvent.Failed(new InferenceError(InferenceErrorKind.QueueFull, "full", "model", TimeSpan.FromSeconds(2)))])];

        var back = MessageFormat.ReadReplies(MessageFormat.Write(sent));

        Assert.Equal(sent.Select(reply => (reply.Id, reply.Delivery, reply.First, reply.Events.Count)),
            back.Select(reply => (reply.Id, reply.Delivery, reply.First, reply.Events.Count)));
        Assert.Equal(sent[0].Events.Select(one => one.GetType()), back[0].Events.Select(one => one.GetType()));
        Assert.Equal(sent[1].Events, back[1].Events);
    }

    [Fact]
    public void Contents_of_tensors_and_images_follow_the_JSON_as_they_are()
    {
        byte[] data = [.. Enumerable.Range(0, 5_000).Select(i => (byte)i)];
        Tensor[] tensors = [new("x", TensorType.UInt8, [5_000], data), new("few", TensorType.UInt8, [2], data.AsMemory(0, 2)),
            new("none", TensorType.Float32, [0], default), new("y", TensorType.UInt8, [300], data.AsMemory(7, 300))];
        QueuedRequest sent = new() { Request = Full with { Prompt = new Prompt.Tensors(tensors) }, Class = WorkClass.Bulk };
        var plain = MessageFormat.Write(sent with { Request = Full with { Prompt = new Prompt.Tensors(tensors[1..3]) } });
        Assert.Equal((byte)'{', plain[0]);

        var message = MessageFormat.Write(sent);
        Assert.InRange(message.Length, 5_300, plain.Length + 5_300 + 200);
        var inputs = ((Prompt.Tensors)MessageFormat.ReadRequest(message).Request.Prompt).Inputs;
        Assert.Equal(tensors.Select(tensor => Convert.ToHexString(tensor.Data.Span)), inputs.Select(tensor => Convert.ToHexString(tensor.Data.Span)));
        foreach (var length in (int[])[1, 4, 5, 20, 600, message.Length - 301, message.Length - 1])
            Assert.Throws<MalformedMessageException>(() => MessageFormat.ReadRequest(message.AsMemory(0, length)));
        // Nothing of one message is left to the next.
        var json = message.AsMemory(5, message.Length - 5_300 - 5);
        Assert.Throws<MalformedMessageException>(() => MessageFormat.ReadRequest(json));

        var texts = new Prompt.Texts(TextTask.Embed, [new TextInput(null, Image: data), new TextInput("a")]);
        var back = (Prompt.Texts)MessageFormat.ReadRequest(
            MessageFormat.Write(sent with { Request = Full with { Prompt = texts } })).Request.Prompt;
        Assert.Equal(data, back.Inputs[0].Image!.Value.ToArray());
        Assert.Null(back.Inputs[1].Image);
    }

    [Fact]
    public void Answers_carry_their_tensors_as_they_are()
    {
        byte[] data = [.. Enumerable.Range(0, 5_000).Select(i => (byte)i)];
        Tensor tensor = new("y", TensorType.UInt8, [5_000], data);
        InferenceResult result = new()
        {
            Id = new RequestId("r4"), Outcome = RequestOutcome.Finished, Outputs = [tensor], Usage = new Usage(0, 0, 0),
        };
        var message = MessageFormat.Write(result);
        Assert.InRange(message.Length, 5_000, 5_600);
        Assert.Equal(data, Assert.Single(MessageFormat.ReadResult(message).Outputs!).Data.ToArray());

        message = MessageFormat.Write([new Reply(result.Id, 1, 0, [new InferenceEvent.Outputs([tensor, tensor with { Name = "z" }])])]);
        Assert.InRange(message.Length, 10_000, 10_600);
        var back = (InferenceEvent.Outputs)Assert.Single(Assert.Single(MessageFormat.ReadReplies(message)).Events);
        Assert.All(back.Tensors, one => Assert.Equal(data, one.Data.ToArray()));
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public void What_is_no_message_is_said_to_be_none(string json) =>
        Assert.Throws<MalformedMessageException>(() => MessageFormat.ReadRequest(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void A_field_of_a_later_build_is_ignored_and_a_missing_one_is_noticed()
    {
        var message = JsonNode.Parse(MessageFormat.Write(new QueuedRequest { Request = Full, Class = WorkClass.Bulk }))!.AsObject();
        message["body"]!["request"]!["invented"] = "later";
        Assert.Equal(Full.Id, MessageFormat.ReadRequest(Encoding.UTF8.GetBytes(message.ToJsonString())).Request.Id);

        message["body"]!["request"]!.AsObject().Remove("sampling");
        Assert.Throws<MalformedMessageException>(() => MessageFormat.ReadRequest(Encoding.UTF8.GetBytes(message.ToJsonString())));
    }

    private static IEnumerable<InferenceEvent> Events()
    {
        yield return new InferenceEvent.Admitted(5, new VariantChoice(Precision.Int4, "fastest"));
        yield return new InferenceEvent.Delta(0, DeltaKind.Reasoning, "think ",
            [new TokenLogprob("t", [116], -0.5f, [new TokenLogprob("u", [117], float.NegativeInfinity, [])])]);
        yield return new InferenceEvent.Delta(0, DeltaKind.Answer, "5");
        yield return new InferenceEvent.Delta(0, DeltaKind.Answer, "6");
        yield return new InferenceEvent.ChoiceFinished(0, FinishReason.Length);
        yield return new InferenceEvent.Finished(new Usage(5, 4, 2) { CachedTokens = 3 });
    }
}
