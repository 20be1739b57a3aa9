using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;

namespace R1Serverless.Tests.Engine.ModelHosting;

/// <summary>One version of a model after another.</summary>
public sealed partial class ModelHostTests
{
    private static readonly PrecisionPreference Usual = new() { IsServerDefault = true };

    [Fact]
    public async Task The_next_version_takes_new_requests_while_the_old_one_finishes_its_own_and_goes()
    {
        var folder = Folder("a", Precision.Fp32) with { Version = "1" };
        var host = Host(room: 2, folder);
        var old = await PlaceAsync(host, "a", null);
        using var gate = Hold("a 2 fp32");
        var swap = host.SwapAsync(folder with { Version = "2" }, Usual, isForward: true, _ => { }, Cancellation);
        using (var during = await PlaceAsync(host, "a", null)) Assert.Equal("1", during.Variant.Folder.Version);
        Assert.Equal(VersionRole.Candidate, host.Status[^1].Role);

        gate.Set();
        var outcome = await swap;
        Assert.Null(outcome.Refusal);
        using var next = await PlaceAsync(host, "a", null);
        Assert.Equal(("2", "2"), (next.Variant.Folder.Version, next.Choice.Version));
        Assert.Equal(("1", "1"), (old.Variant.Folder.Version, old.Choice.Version));
        Assert.False(outcome.Retired.IsCompleted || _runners["a 1 fp32"].IsDisposed);
        Assert.Equal([VersionRole.Current, VersionRole.Retiring], host.Status.Select(one => one.Role));

        old.Dispose();
        await outcome.Retired.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.True(_runners["a 1 fp32"].IsDisposed);
        Assert.Equal("2", Assert.Single(host.Status).Folder.Version);
    }

    [Fact]
    public async Task The_next_version_has_in_memory_what_the_old_one_had()
    {
        var folder = Folder("a", Precision.Fp32, Precision.Int8, Precision.Int4) with { Version = "1" };
        var host = Host(room: 6, folder);
        (await PlaceAsync(host, "a", Precision.Int8)).Dispose();
        (await PlaceAsync(host, "a", Precision.Fp32)).Dispose();

        var outcome = await host.SwapAsync(folder with { Version = "2" }, Usual, isForward: true, _ => { }, Cancellation);
        await outcome.Retired.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);

        Assert.Equal(["a fp32", "a int8"], Loaded(host));
        Assert.All(host.Status, one => Assert.Equal("2", one.Folder.Version));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(1)]
    public async Task A_version_that_does_not_load_never_takes_a_request_and_the_old_one_stays(int room)
    {
        var folder = Folder("a", Precision.Fp32) with { Version = "1" };
        var host = Host(room, folder);
        (await PlaceAsync(host, "a", null)).Dispose();
        _faults["a 2 fp32"] = new ModelLoadException("the graph is damaged");

        var outcome = await host.SwapAsync(folder with { Version = "2" }, Usual, isForward: true, _ => { }, Cancellation);

        Assert.Equal("its fp32 variant could not be loaded: the graph is damaged", outcome.Refusal);
        using var lease = await PlaceAsync(host, "a", null);
        Assert.Equal("1", lease.Variant.Folder.Version);
        Assert.Equal("1", Assert.Single(host.Status).Folder.Version);
        // Where there was room for both, the old one never left.
        Assert.Equal(room == 2, !_runners["a 1 fp32"].IsDisposed && _opened.Count(name => name == "a 1 fp32") == 1);
    }

    [Fact]
    public async Task Where_both_do_not_fit_the_old_one_runs_dry_first_and_new_requests_wait()
    {
        var folder = Folder("a", Precision.Fp32) with { Version = "1" };
        var host = Host(room: 1, folder);
        var old = await PlaceAsync(host, "a", null);
        TaskCompletionSource<string> waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var swap = host.SwapAsync(folder with { Version = "2" }, Usual, isForward: true, why => waits.TrySetResult(why), Cancellation);
        Assert.Contains("do not fit", await waits.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation), StringComparison.Ordinal);
        var waiting = host.PlaceAsync("a", new PrecisionPreference(), Cancellation).AsTask();
        Assert.False(waiting.IsCompleted);

        old.Dispose();
        Assert.Null((await swap).Refusal);
        using var lease = (await waiting).Lease!;
        Assert.Equal("2", lease.Variant.Folder.Version);
        Assert.True(_runners["a 1 fp32"].IsDisposed);
    }

    [Fact]
    public async Task A_swap_that_is_called_off_leaves_the_old_version()
    {
        var folder = Folder("a", Precision.Fp32) with { Version = "1" };
        var host = Host(room: 1, folder);
        using var old = await PlaceAsync(host, "a", null);
        TaskCompletionSource waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenSource off = new();
        var swap = host.SwapAsync(folder with { Version = "2" }, Usual, isForward: true, _ => waits.TrySetResult(), off.Token);
        await waits.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        await off.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => swap);

        using var lease = await PlaceAsync(host, "a", null);
        Assert.Equal("1", lease.Variant.Folder.Version);
    }

    [Fact]
    public async Task A_request_that_waited_through_a_swap_is_the_new_versions_from_its_prompt_on()
    {
        using HandMadeModels others = new();
        var old = Folder("a", Precision.Fp32) with { Version = "1" };
        var next = others.Make("a", variant => variant with { Bytes = 8 }, Precision.Fp32) with { Version = "2" };
        var tokenizer = System.Text.Json.Nodes.JsonNode.Parse(await File.ReadAllTextAsync(next.TokenizerPath, Cancellation))!;
        var vocabulary = tokenizer["model"]!["vocab"]!;
        var (one, two) = (vocabulary["1"]!.GetValue<int>(), vocabulary["2"]!.GetValue<int>());
        (vocabulary["1"], vocabulary["2"]) = (two, one);
        await File.WriteAllTextAsync(next.TokenizerPath, tokenizer.ToJsonString(), Cancellation);
        var ask = Ask("a", 20) with { Prompt = new Prompt.Text("1111") };

        await using ModelHost alone =
            new(HostedModels.Of([next], new ModelHostOptions { MemoryBytes = VariantBytes }, kvMemory: 2, _time),
                new ModelHostOptions { MemoryBytes = VariantBytes }, Open, _time);
        var expected = Text(await RunAsync(new LocalInference(alone), ask, Cancellation));

        var host = Host(room: 1, old);
        var inference = new LocalInference(host);
        Assert.NotEqual(expected, Text(await RunAsync(inference, ask, Cancellation)));
        var busy = await PlaceAsync(host, "a", null);
        TaskCompletionSource waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var swap = host.SwapAsync(next, Usual, isForward: true, _ => waits.TrySetResult(), Cancellation);
        await waits.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        // Its prompt is read before it waits for a variant: here still with the old tokenizer.
        var waiting = RunAsync(inference, ask, Cancellation);
        busy.Dispose();
        Assert.Null((await swap).Refusal);
        var events = await waiting;
        Assert.Equal("2", events.OfType<InferenceEvent.Admitted>().Single().Variant.Version);
        Assert.Equal(expected, Text(events));
    }
}
