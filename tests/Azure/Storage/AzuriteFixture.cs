using R1Serverless.Azure.Storage;
using R1Serverless.Tests.Azure.Storage;

[assembly: AssemblyFixture(typeof(AzuriteFixture))]

namespace R1Serverless.Tests.Azure.Storage;

/// <summary>One Azurite in memory for all tests that need one, started by the first of them.</summary>
public sealed class AzuriteFixture : IAsyncDisposable
{
    public const string Clock = "Azurite's clock";

    private readonly SemaphoreSlim starting = new(1);
    private Azurite? azurite;

    /// <summary>A container and queues that no other test uses; nothing of them exists yet.</summary>
    public async Task<StorageOptions> OptionsAsync()
    {
        await starting.WaitAsync();
        try
        {
            azurite ??= await Azurite.StartAsync(folder: null);
        }
        finally
        {
            starting.Release();
        }

        var own = $"t{Guid.NewGuid():N}"[..20];
        return new StorageOptions
        {
            ConnectionString = azurite.ConnectionString, Container = own, QueuePrefix = $"{own}-",
            LeaseTime = TimeSpan.FromHours(1)
        };
    }

    /// <summary>Sets the service's clock ahead, for all tests: those that do are in the collection <see cref="Clock"/>, and the others' leases last
    /// for long.</summary>
    public Task PassAsync(TimeSpan time) => azurite!.PassAsync(time);

    public async ValueTask DisposeAsync()
    {
        if (azurite is not null) await azurite.DisposeAsync();
        starting.Dispose();
    }
}
