using R1Serverless.Abstractions;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Engine.ModelHosting;

/// <summary>Versions that do not fit beside what runs, and what is to be in memory together.</summary>
public sealed partial class ModelHostTests
{
    [Fact]
    public async Task A_version_that_others_leave_no_room_takes_nothing_from_the_one_that_serves_and_gives_up_for_now()
    {
        var host = Host(room: 2, Folder("a", Precision.Fp32) with { Version = "1" }, Folder("b", Precision.Fp32));
        using HandMadeModels others = new();
        var next = Next(others, bytes: 15);
        (await PlaceAsync(host, "a", null)).Dispose();
        var busy = await PlaceAsync(host, "b", null);

        TaskCompletionSource<string> waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var swap = host.SwapAsync(next, Usual, isForward: true, why => waits.TrySetResult(why), Cancellation);
        var why = await waits.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.Contains("while requests of others run", why, StringComparison.Ordinal);
        for (var i = 0; i < 3; i++)
        {
            using var lease = await PlaceAsync(host, "a", null).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
            Assert.Equal("1", lease.Variant.Folder.Version);
        }

        var outcome = await WhileTimePassesAsync(swap);
        Assert.Equal((why, TimeSpan.Zero), (outcome.Refusal, outcome.RetryAfter!.Value));
        Assert.Equal(["a fp32", "b fp32"], Loaded(host));

        // Where what was waited for ends, the old version makes room.
        swap = host.SwapAsync(next, Usual, isForward: true, _ => { }, Cancellation);
        busy.Dispose();
        Assert.Null((await swap.WaitAsync(TimeSpan.FromMinutes(1), Cancellation)).Refusal);
        using var served = await PlaceAsync(host, "a", null);
        Assert.Equal("2", served.Variant.Folder.Version);
    }

    [Fact]
    public async Task Room_that_others_take_while_the_old_version_runs_dry_sets_it_free_again()
    {
        var host = Host(room: 3, Folder("a", Precision.Fp32) with { Version = "1" }, Folder("b", Precision.Fp32));
        using HandMadeModels others = new();
        (await PlaceAsync(host, "b", null)).Dispose();
        var old = await PlaceAsync(host, "a", null);
        TaskCompletionSource dry = new(TaskCreationOptions.RunContinuationsAsynchronously),
            free = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var swap = host.SwapAsync(
            Next(others, bytes: 25), Usual, isForward: true,
            why => (why.Contains("its requests end first", StringComparison.Ordinal) ? dry : free).TrySetResult(), Cancellation);
        await dry.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        var held = host.PlaceAsync("a", new PrecisionPreference(), Cancellation).AsTask();
        Assert.False(held.IsCompleted);

        var busy = await PlaceAsync(host, "b", null);
        old.Dispose();
        await free.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        using (var lease = (await held.WaitAsync(TimeSpan.FromMinutes(1), Cancellation)).Lease!) Assert.Equal("1", lease.Variant.Folder.Version);
        busy.Dispose();
        Assert.Null((await swap.WaitAsync(TimeSpan.FromMinutes(1), Cancellation)).Refusal);
    }

    [Fact]
    public async Task Two_models_that_change_at_once_each_get_the_room_that_the_other_has_one_after_the_other()
    {
        var host = Host(room: 2, Folder("a", Precision.Fp32) with { Version = "1" }, Folder("b", Precision.Fp32) with { Version = "1" });
        using HandMadeModels others = new();
        ModelFolder Both(string name) =>
            others.Make(name, variant => variant with { Bytes = 8, Preload = true }, Precision.Fp32, Precision.Int8) with { Version = "2" };
        ModelFolder a = Both("a"), b = Both("b");
        foreach (var model in (string[])["a", "b"]) (await PlaceAsync(host, model, null)).Dispose();
        using var gate = Hold("a 2 fp32");
        Task<SwapOutcome>[] both = [host.SwapAsync(a, Usual, isForward: true, _ => { }, Cancellation),
            host.SwapAsync(b, Usual, isForward: true, _ => { }, Cancellation)];
        gate.Set();
        Assert.All(await Task.WhenAll(both).WaitAsync(TimeSpan.FromMinutes(1), Cancellation), outcome => Assert.Null(outcome.Refusal));
        Assert.Equal(["a 2 fp32", "a 2 int8", "b 2 fp32", "b 2 int8"], _opened.Skip(2));
    }

    [Fact]
    public async Task Requests_are_not_held_back_longer_than_the_limit_when_the_last_one_does_not_end()
    {
        var host = Host(room: 1, Folder("a", Precision.Fp32) with { Version = "1" });
        using HandMadeModels others = new();
        using var endless = await PlaceAsync(host, "a", null);
        TaskCompletionSource waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var swap = host.SwapAsync(Next(others, bytes: VariantBytes), Usual, isForward: true, _ => waits.TrySetResult(), Cancellation);
        await waits.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);

        var outcome = await WhileTimePassesAsync(swap);
        Assert.Contains("did not end within 2 minutes", outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromMinutes(10), outcome.RetryAfter);
        using var lease = await PlaceAsync(host, "a", null).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.Equal("1", lease.Variant.Folder.Version);
        Assert.Single(host.Status);
    }

    [Fact]
    public async Task A_swap_that_is_called_off_during_a_load_does_not_happen()
    {
        var folder = Folder("a", Precision.Fp32) with { Version = "1" };
        var host = Host(room: 2, folder);
        (await PlaceAsync(host, "a", null)).Dispose();
        using var gate = Hold("a 2 fp32");
        using CancellationTokenSource off = new();
        var swap = host.SwapAsync(folder with { Version = "2" }, Usual, isForward: true, _ => { }, off.Token);
        await off.CancelAsync();
        gate.Set();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => swap);
        using var lease = await PlaceAsync(host, "a", null);
        Assert.Equal("1", lease.Variant.Folder.Version);
    }

    [Theory]
    [InlineData(true, "a fp32", "a int8")]
    [InlineData(false, "a fp32")]
    public async Task What_the_next_versions_manifest_marks_comes_with_it_as_at_a_start(bool loadsMarked, params string[] loaded)
    {
        using HandMadeModels others = new();
        var next = others.Make("a", variant => variant with { Bytes = 8, Preload = variant.Precision == Precision.Int8 }, Precision.Fp32,
            Precision.Int8, Precision.Int4) with
        { Version = "2" };
        var options = new ModelHostOptions { MemoryBytes = 6 * VariantBytes, LoadsMarked = loadsMarked };
        var host = _host =
            new ModelHost(HostedModels.Of([Folder("a", Precision.Fp32, Precision.Int8) with { Version = "1" }], options, kvMemory: 2, _time),
                options, Open, _time);
        (await PlaceAsync(host, "a", Precision.Fp32)).Dispose();
        var outcome = await host.SwapAsync(next, Usual, isForward: true, _ => { }, Cancellation);
        await outcome.Retired.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.Equal(loaded, Loaded(host));
    }

    [Theory]
    [InlineData(2, true, "a fp32", "a int8")]
    [InlineData(2, false, "a fp32", "a int4")]
    [InlineData(1, false, "a fp32")]
    public async Task What_requests_brought_comes_with_the_next_version_as_far_as_there_is_room_and_what_is_marked_always(int room, bool isMarked,
    params string[] loaded)
    {
        using HandMadeModels others = new();
        // Larger than the version before.
        ModelVariant Larger(ModelVariant variant) => variant with { Bytes = 28, Preload = isMarked && variant.Precision == Precision.Int8 };
        var next = others.Make("a", Larger, Precision.Fp32, Precision.Int4, Precision.Int8) with { Version = "2" };
        var host = Host(room: 3 * room, Folder("a", Precision.Fp32, Precision.Int8, Precision.Int4) with { Version = "1" });
        foreach (var precision in (Precision[])[Precision.Fp32, Precision.Int8, Precision.Int4]) (await PlaceAsync(host, "a", precision)).Dispose();
        var outcome = await host.SwapAsync(next, Usual, isForward: true, _ => { }, Cancellation);
        Assert.Null(outcome.Refusal);
        await outcome.Retired.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.Equal(loaded, Loaded(host));
    }

    [Fact]
    public void What_is_to_be_loaded_together_is_added_up_first()
    {
        (string, PrecisionPreference) a = ("a", new PrecisionPreference()), same = ("a", new PrecisionPreference(Precision.Fp32)),
            int8 = ("a", new PrecisionPreference(Precision.Int8)), b = ("b", new PrecisionPreference());
        var host = Host(room: 2, Folder("a", Precision.Fp32, Precision.Int8), Folder("b", Precision.Fp32));
        var all = host.Fit([a, same, b]);
        Assert.Null(all.Refusal);
        Assert.Equal([a, same, b], all.Fitting);
        // What is not there is said when it is loaded.
        Assert.Null(host.Fit([a, b, ("c", new PrecisionPreference()), ("b", new PrecisionPreference(Precision.Int4))]).Refusal);
        var fit = host.Fit([a, int8, b, same]);
        Assert.Contains("(a fp32 1 MiB, a int8 1 MiB, b fp32 1 MiB)", fit.Refusal, StringComparison.Ordinal);
        Assert.Contains("raise --memory", fit.Refusal, StringComparison.Ordinal);
        Assert.Equal([a, int8, same], fit.Fitting);
        Assert.Equal(["b fp32"], fit.Left);
    }

    [Theory]
    [InlineData(true, 3, null)]
    [InlineData(true, 2, "(a fp32 1 MiB, a int8 1 MiB, a int4 1 MiB)")]
    [InlineData(false, 2, null)]
    [InlineData(false, 0, "smallest")]
    public void A_version_whose_marks_have_no_room_together_is_a_misfit_as_in_a_swap(bool loadsMarked, int room, string? reason)
    {
        using HandMadeModels others = new();
        var version =
            others.Make("a", variant => variant with { Bytes = 8, Preload = variant.Precision != Precision.Fp32 }, Precision.Fp32, Precision.Int8,
                Precision.Int4);
        var options = new ModelHostOptions { MemoryBytes = room * VariantBytes, LoadsMarked = loadsMarked };
        var misfit = ModelHost.Misfit("a", version.Manifest.Variants, Usual, options, new EngineOptions { KvMemory = 2 });
        if (reason is null) Assert.Null(misfit);
        else Assert.Contains(reason, misfit, StringComparison.Ordinal);
    }

    /// <param name="bytes">Of all, keys and values too.</param>
    private static ModelFolder Next(HandMadeModels models, int bytes) =>
        models.Make("a", variant => variant with { Bytes = bytes - 2 }, Precision.Fp32) with { Version = "2" };

    private async Task<SwapOutcome> WhileTimePassesAsync(Task<SwapOutcome> swap)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!swap.IsCompleted)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromMinutes(1), "the swap still waits");
            _time.Advance(TimeSpan.FromSeconds(10));
            await Task.Yield();
        }

        return await swap;
    }
}
