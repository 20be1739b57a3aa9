using System.Net;
using System.Net.Sockets;
using R1Serverless.Auth;
using R1Serverless.Azure.KeyVault;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Auth;

/// <summary>Keys in a vault, over a stand-in for its REST interface. The service itself has not been met.</summary>
public sealed class VaultTests
{
    [Fact]
    public async Task Keys_are_kept_as_versions_of_one_secret()
    {
        await using var vault = await StandInVault.StartAsync();
        var keys = vault.Keys();
        Assert.Null(await keys.ReadAsync(CancellationToken.None));
        ApiKey[] first = [KeyRingTests.Key("a", "one")], second = [.. first, KeyRingTests.Key("b", "two")];
        await keys.ChangeAsync(before => before is null ? KeyFileFormat.Write(first) : default, CancellationToken.None);
        Assert.Equal(first, KeyFileFormat.Read((await keys.ReadAsync(CancellationToken.None))!.Value));
        await keys.ChangeAsync(
            before => before is { } there && KeyFileFormat.Read(there).SequenceEqual(first) ? KeyFileFormat.Write(second) : default,
            CancellationToken.None);
        Assert.Equal(second, KeyFileFormat.Read((await keys.ReadAsync(CancellationToken.None))!.Value));
        Assert.Equal(1, vault.Challenges);

        // One version may be read, as it stays, and not be changed.
        var old = vault.Keys("/1");
        Assert.Equal(first, KeyFileFormat.Read((await old.ReadAsync(CancellationToken.None))!.Value));
        var fault = await Assert.ThrowsAsync<KeySourceException>(() => old.ChangeAsync(_ => default, CancellationToken.None).AsTask());
        Assert.Contains("names one version", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_vault_that_refuses_or_is_away_is_said_in_a_line()
    {
        await using var vault = await StandInVault.StartAsync();
        vault.Status = HttpStatusCode.Forbidden;
        var keys = vault.Keys();
        Assert.Equal("The vault says Forbidden.",
            (await Assert.ThrowsAsync<KeySourceException>(() => keys.ReadAsync(CancellationToken.None).AsTask())).Message);
        Assert.Equal("The vault says Forbidden.",
            (await Assert.ThrowsAsync<KeySourceException>(() => keys.ChangeAsync(_ => default, CancellationToken.None).AsTask())).Message);
        using TcpListener silent = new(IPAddress.Loopback, 0);
        silent.Start();
        var mute = vault.Keys($"https://{silent.LocalEndpoint}/secrets/api-keys", TimeSpan.FromMilliseconds(100));
        Assert.DoesNotContain('\n', (await Assert.ThrowsAsync<KeySourceException>(() => mute.ReadAsync(CancellationToken.None).AsTask())).Message);
        var away = vault.Keys();
        await vault.DisposeAsync();
        Assert.DoesNotContain('\n', (await Assert.ThrowsAsync<KeySourceException>(() => away.ReadAsync(CancellationToken.None).AsTask())).Message);
    }

    [Theory]
    [InlineData("keys.json", true)]
    [InlineData("/etc/r1/keys.json", true)]
    [InlineData("https://v.vault.azure.net/secrets/api-keys", true)]
    [InlineData("https://v.vault.azure.net/secrets/api-keys/4387e9f3d6e14c459867679a90fd0f79", true)]
    [InlineData("http://v.vault.azure.net/secrets/api-keys", false)]
    [InlineData("https://v.vault.azure.net/keys/api-keys", false)]
    [InlineData("https://v.vault.azure.net/", false)]
    [InlineData("https://v.vault.azure.net/secrets/api-keys?x=1", false)]
    [InlineData("file:///etc/keys.json", false)]
    public void A_place_is_a_file_or_a_secret(string place, bool isFine)
    {
        Assert.Equal(isFine, KeySources.Refusal(place) is null);
        if (isFine) Assert.Equal(place.StartsWith("https", StringComparison.Ordinal), KeySources.Create(place) is VaultKeys);
    }
}
