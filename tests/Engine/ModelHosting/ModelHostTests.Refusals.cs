using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;

namespace R1Serverless.Tests.Engine.ModelHosting;

/// <summary>Requests that get no variant, and variants that do not come up.</summary>
public sealed partial class ModelHostTests
{
    [Fact]
    public async Task A_request_that_no_variant_can_run_loads_none()
    {
        var host = Host(room: 1, Folder("a", Precision.Fp32, Precision.Int8));
        var inference = new LocalInference(host);
        var (ask, int8) = (Ask("a", 0), new PrecisionPreference(Precision.Int8));
        await RefusedAsync(ask with { Precision = int8, Prompt = new Prompt.Tokens([1 << 20]) }, "prompt[0]");
        await RefusedAsync(ask with { Precision = int8, Prompt = new Prompt.Tokens(new int[5000]) }, "prompt");
        await RefusedAsync(
            ask with { Precision = int8, Sampling = new SamplingOptions { LogitBias = new Dictionary<int, float> { [1 << 20] = 1 } } }, "logit_bias");
        await RefusedAsync(
            ask with
            {
                Precision = int8,
                Prompt = new Prompt.Chat([new ChatMessage(ChatRole.User, string.Concat(Enumerable.Repeat("1 2 ", 5000)))])
            }, "messages");
        await RefusedAsync(ask with { Precision = int8, Prompt = new Prompt.Text(string.Concat(Enumerable.Repeat("1 2 ", 5000))) }, "prompt");
        Assert.Empty(_opened);
        Assert.IsType<InferenceEvent.Finished>(
            (await RunAsync(inference, ask with { Precision = int8, Prompt = new Prompt.Text("1 2") }, Cancellation))[^1]);
        Assert.Equal(["a int8"], _opened);

        async Task RefusedAsync(InferenceRequest request, string field) =>
            Assert.Equal(field, Assert.IsType<InferenceEvent.Failed>(Assert.Single(await RunAsync(inference, request, Cancellation))).Error.Field);
    }

    [Fact]
    public async Task A_tokenizer_that_can_not_be_read_fails_the_load_and_is_read_again_later()
    {
        var folder = Folder("a", Precision.Fp32);
        var whole = await File.ReadAllTextAsync(folder.TokenizerPath, Cancellation);
        await File.WriteAllTextAsync(folder.TokenizerPath, "{", Cancellation);
        var host = Host(room: 1, folder);
        var inference = new LocalInference(host);
        var ask = Ask("a", 0) with { Prompt = new Prompt.Text("1 2") };
        var failed = Assert.IsType<InferenceEvent.Failed>(Assert.Single(await RunAsync(inference, ask, Cancellation)));
        Assert.Equal(InferenceErrorKind.Unavailable, failed.Error.Kind);
        Assert.Contains("tokenizer.json", Assert.Single(host.Status).Failure, StringComparison.Ordinal);
        await File.WriteAllTextAsync(folder.TokenizerPath, whole, Cancellation);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.IsType<InferenceEvent.Finished>((await RunAsync(inference, ask, Cancellation))[^1]);
        // A session is made while the tokenizer is read: the first was for nothing.
        Assert.Equal(["a fp32", "a fp32"], _opened);
    }

    [Fact]
    public async Task Auto_waits_for_what_failed_rather_than_take_what_lost_too_much()
    {
        var host = Host(room: 4,
            _models.Make("a",
            variant => variant with { Bytes = 8, Evaluations = variant.Precision == Precision.Fp32 ? [] : [Measured.On("cpu", 3, 2000)] },
            Precision.Fp32, Precision.Int8));
        _faults["a fp32"] = new ModelLoadException("broken");
        Assert.Equal(InferenceErrorKind.Unavailable, (await host.PlaceAsync("a", new PrecisionPreference(), Cancellation)).Error!.Kind);
        Assert.Equal(["a fp32"], _opened);
        using var named = await PlaceAsync(host, "a", Precision.Int8);
    }

    [Fact]
    public async Task A_load_that_fails_fails_its_requests_and_auto_takes_the_next()
    {
        var host = Host(room: 4, _models.Make("a", Quick, Precision.Fp32, Precision.Int8, Precision.Int4));
        _faults["a int4"] = new ModelLoadException("a kernel is missing");
        using (var auto = await PlaceAsync(host, "a", null)) Assert.Equal(Precision.Int8, auto.Choice.Precision);
        var refused = (await host.PlaceAsync("a", new PrecisionPreference(Precision.Int4), Cancellation)).Error!;
        Assert.Equal((InferenceErrorKind.Unavailable, TimeSpan.FromMinutes(1)), (refused.Kind, refused.RetryAfter));
        Assert.DoesNotContain("kernel", refused.Message, StringComparison.Ordinal);
        Assert.Equal("a kernel is missing", host.Status.Single(one => one.Variant.Precision == Precision.Int4).Failure);
        Assert.Equal(["a int4", "a int8"], _opened);

        // After a minute it is tried again.
        _faults.Clear();
        _time.Advance(TimeSpan.FromMinutes(1));
        using var mended = await PlaceAsync(host, "a", Precision.Int4);
        Assert.Equal(Precision.Int4, mended.Choice.Precision);
    }

    [Fact]
    public async Task A_model_of_which_nothing_loads_is_unavailable_and_at_the_start_says_why()
    {
        var host = Host(room: 4, Folder("a", Precision.Fp32, Precision.Int8));
        _faults["a fp32"] = new ModelLoadException("broken");
        _faults["a int8"] = new IOException("gone");
        var fault = await Assert.ThrowsAsync<ModelLoadException>(() => host.LoadAsync("a", new PrecisionPreference(), Cancellation));
        Assert.Equal("broken", fault.Message);
        Assert.Equal(InferenceErrorKind.Unavailable, (await host.PlaceAsync("a", new PrecisionPreference(), Cancellation)).Error!.Kind);
        await Assert.ThrowsAsync<IOException>(() => host.LoadAsync("a", new PrecisionPreference(Precision.Int8), Cancellation));
    }

    [Fact]
    public async Task What_never_fits_is_refused_at_once_and_auto_passes_it_over()
    {
        var host = Host(room: 2,
            _models.Make("a", variant => variant with { Bytes = variant.Precision == Precision.Fp32 ? 100 : 8 }, Precision.Fp32, Precision.Int8));
        using var auto = await PlaceAsync(host, "a", null);
        Assert.Equal(Precision.Int8, auto.Choice.Precision);
        var error = (await host.PlaceAsync("a", new PrecisionPreference(Precision.Fp32), Cancellation)).Error!;
        Assert.Equal((InferenceErrorKind.InvalidRequest, "precision"), (error.Kind, error.Field));
        Assert.Throws<ModelLoadException>(() => Host(room: 0, Folder("b", Precision.Fp32)));
    }
}
