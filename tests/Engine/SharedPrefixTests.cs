using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;

namespace R1Serverless.Tests.Engine;

/// <summary>Prompts that begin alike, on the real runtime: computed once, and answered with the bits that they have alone.</summary>
public sealed class SharedPrefixTests
{
    private const int Families = 3, Tokens = 8;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Precision, keys and values in 8 bits, and the tokens that fit into memory: in the last ones so few that prefixes leave for
    /// rows.</summary>
    public static TheoryData<Precision, bool, int> Variants => new()
    {
        { Precision.Fp32, false, 1 << 17 }, { Precision.Fp16, false, 1 << 17 }, { Precision.Int8, false, 1 << 17 },
        { Precision.Int4, false, 1 << 17 }, { Precision.Fp32, true, 1 << 17 }, { Precision.Int8, true, 1 << 17 },
        { Precision.Fp32, false, 1 << 13 }, { Precision.Int8, true, 1 << 13 },
    };

    [Theory]
    [MemberData(nameof(Variants))]
    public async Task No_bit_of_an_answer_changes(Precision precision, bool hasInt8Kv, int tokens)
    {
        var random = new Random(7);
        InferenceRequest[] requests = [.. Enumerable.Range(0, 16).Select(i => Request(random, i % Families, i % 8 == 3 ? 2 : 1))];
        await using var apart = Open(precision, hasInt8Kv, new EngineOptions { PrefixSharing = PrefixSharing.Off });
        List<string> expected = [];
        foreach (var request in requests) expected.Add((await AnswerAsync(apart, request)).Text);

        await using var sharing = Open(precision, hasInt8Kv, new EngineOptions { KvMemory = tokens * TokenBytes(hasInt8Kv) });
        Assert.True(sharing.Variants[0].SharesPrefixes);
        var cached = 0;
        foreach (var atOnce in (int[])[requests.Length, 5, 1])
        {
            var order = requests.OrderBy(_ => random.Next()).ToArray();
            List<(string Text, int Cached)> answers = [];
            foreach (var some in order.Chunk(atOnce)) answers.AddRange(await Task.WhenAll(some.Select(request => AnswerAsync(sharing, request))));
            var changed = order.Zip(answers).Where(pair => expected[Array.IndexOf(requests, pair.First)] != pair.Second.Text)
                .Select(pair => $"a prompt of {((Prompt.Tokens)pair.First.Prompt).Ids.Count} tokens, {pair.Second.Cached} shared, "
                    + $"{pair.First.Choices} choices");
            Assert.Empty(changed);
            cached += answers.Sum(answer => answer.Cached);
        }

        Assert.True(cached > (tokens < 1 << 17 ? 1_000 : 8_000), $"Only {cached} tokens were shared.");
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public async Task No_bit_changes_after_a_restart_with_what_is_on_the_disk(Precision precision, bool hasInt8Kv, int tokens)
    {
        var random = new Random(11);
        var folder = Directory.CreateTempSubdirectory("r1-tests-").FullName;
        try
        {
            InferenceRequest[] requests = [.. Enumerable.Range(0, 9).Select(i => Request(random, i % Families, i % 8 == 3 ? 2 : 1))];
            EngineOptions options = new()
            {
                KvMemory = tokens * TokenBytes(hasInt8Kv), PrefixFolder = folder, PrefixFileBytes = 64L << 20,
            };
            await using var apart = Open(precision, hasInt8Kv, new EngineOptions { PrefixSharing = PrefixSharing.Off });
            List<string> expected = [];
            foreach (var request in requests) expected.Add((await AnswerAsync(apart, request)).Text);
            for (var life = 0; life < 3; life++)
            {
                await using var sharing = Open(precision, hasInt8Kv, options);
                Assert.Null(sharing.Variants[0].PrefixFileRefusal);
                var first = await AnswerAsync(sharing, requests[life]);
                Assert.Equal(expected[life], first.Text);
                if (life > 0) Assert.True(first.Cached >= 64, "Nothing was taken from the disk.");
                var answers = await Task.WhenAll(requests.Select(request => AnswerAsync(sharing, request)));
                Assert.Equal(expected, answers.Select(answer => answer.Text));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Nothing_is_shared_between_keys_or_salts()
    {
        await using var inference = Open(Precision.Fp32, false, new EngineOptions());
        var request = Request(new Random(1), 0, 1) with { Owner = "a" };
        Assert.Equal(0, (await AnswerAsync(inference, request)).Cached);
        var cached = (await AnswerAsync(inference, request)).Cached;
        Assert.InRange(cached, 64, 2_000);
        Assert.Equal(0, (await AnswerAsync(inference, request with { Owner = "b" })).Cached);
        Assert.Equal(0, (await AnswerAsync(inference, request with { CacheSalt = "s" })).Cached);
        Assert.Equal(cached, (await AnswerAsync(inference, request with { CacheSalt = "s" })).Cached);

        await using var all = Open(Precision.Fp32, false, new EngineOptions { PrefixSharing = PrefixSharing.All });
        await AnswerAsync(all, request);
        Assert.Equal(cached, (await AnswerAsync(all, request with { Owner = "b" })).Cached);
        Assert.Equal(0, (await AnswerAsync(all, request with { CacheSalt = "s" })).Cached);
    }

    private static LocalInference Open(Precision precision, bool hasInt8Kv, EngineOptions options)
    {
        var folder = hasInt8Kv ? TestModels.NanoKv8 : TestModels.Nano;
        var variant = folder.Manifest.Variants.Single(one => one.Precision == precision);
        return new LocalInference([LoadedVariant.OpenAlone(folder, variant, new RuntimeOptions { Threads = 2 }, options, TimeProvider.System)]);
    }

    private static long TokenBytes(bool hasInt8Kv) =>
        2 * TestModels.Nano.Config.Layers * TestModels.Nano.Config.KeyValueHeads * TestModels.Nano.Config.HeadSize * (hasInt8Kv ? 1 : sizeof(float));

    /// <summary>A prompt that begins as its family's do, up to a length of its own.</summary>
    private static InferenceRequest Request(Random random, int family, int choices)
    {
        Random common = new(100 + family);
        var alike = Enumerable.Range(0, 600).Select(_ => common.Next(300)).Take(random.Next(120, 600));
        var own = Enumerable.Range(0, random.Next(1, 500)).Select(_ => random.Next(300));
        return new InferenceRequest
        {
            Id = RequestId.New(), Model = "", Prompt = new Prompt.Tokens([.. alike, .. own]), MaxTokens = Tokens, Choices = choices,
            IgnoreEndOfSequence = true, TopLogprobs = 2, Sampling = new SamplingOptions { Temperature = 0.9f, Seed = 5 },
        };
    }

    /// <summary>Every token with the bits of its probability and of the next likely ones.</summary>
    private static async Task<(string Text, int Cached)> AnswerAsync(LocalInference inference, InferenceRequest request)
    {
        ResultFold fold = new(request.Id);
        request = request with { Model = inference.Variants[0].Id };
        await foreach (var inferenceEvent in inference.RunAsync(request, Cancellation)) fold.Add(inferenceEvent);
        var result = fold.Result();
        Assert.Null(result.Error);
        var text = result.Choices.SelectMany(choice => choice.Logprobs!)
            .Select(token => $"{token.Token} {token.Logprob:r} {string.Join(' ', token.Top.Select(top => $"{top.Token} {top.Logprob:r}"))}");
        return (string.Join('\n', text), result.Usage!.CachedTokens);
    }
}
