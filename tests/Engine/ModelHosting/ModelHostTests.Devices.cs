using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.ModelHosting;

namespace R1Serverless.Tests.Engine.ModelHosting;

/// <summary>Variants that find no room on the device where others run.</summary>
public sealed partial class ModelHostTests
{
    [Fact]
    public async Task A_version_that_only_the_processor_could_hold_does_not_take_over_from_one_on_the_gpu()
    {
        var folder = Folder("a", Precision.Fp32) with { Version = "1" };
        var options = new ModelHostOptions { MemoryBytes = 4 * VariantBytes, Device = "cuda" };
        var host = _host = new ModelHost(HostedModels.Of([folder], options, kvMemory: 2, _time), options, Open, _time);
        ProviderOf = name => name == "a 1 fp32" ? ExecutionProvider.Cuda(new RuntimeOptions()) : ExecutionProvider.Cpu(new RuntimeOptions());
        (await PlaceAsync(host, "a", null)).Dispose();
        var outcome = await host.SwapAsync(folder with { Version = "2" }, Usual, isForward: true, _ => { }, Cancellation);
        Assert.Contains("it could be loaded on cpu only, while others run on cuda", outcome.Refusal, StringComparison.Ordinal);
        await outcome.Retired.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.True(_runners["a 2 fp32"].IsDisposed);
        Assert.Equal("cuda", host.Device);
        using var still = await PlaceAsync(host, "a", null);
        Assert.Equal("1", still.Variant.Folder.Version);
    }

    [Fact]
    public async Task Where_the_gpu_can_not_be_had_all_run_on_the_processor()
    {
        var options = new ModelHostOptions { MemoryBytes = 4 * VariantBytes, Device = "cuda" };
        var host = _host =
            new ModelHost(HostedModels.Of([Folder("a", Precision.Fp32, Precision.Int8)], options, kvMemory: 2, _time), options, Open, _time);
        (await PlaceAsync(host, "a", Precision.Fp32)).Dispose();
        (await PlaceAsync(host, "a", Precision.Int8)).Dispose();
        Assert.Equal(["a fp32", "a int8"], Loaded(host));
        Assert.Equal("cpu", host.Device);
    }
}
