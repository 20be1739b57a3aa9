using System.Security.Cryptography;
using R1Serverless.Auth;

namespace R1Serverless.Tests.Auth;

public sealed class KeyRingTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 24, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_secret_has_256_random_bits_and_a_prefix()
    {
        string[] secrets = [.. Enumerable.Range(0, 100).Select(_ => KeySecret.New())];
        Assert.All(secrets, secret => Assert.Matches("^r1_[A-Za-z0-9_-]{43}$", secret));
        Assert.Equal(100, secrets.Distinct().Count());
        Assert.Equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", KeySecret.Hash("abc"));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData("äöü€"u8.ToArray())), KeySecret.Hash("äöü€"));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(new string('x', 5000).Select(one => (byte)one).ToArray())),
            KeySecret.Hash(new string('x', 5000)));
    }

    [Fact]
    public void A_key_opens_until_it_expires_and_its_old_secret_until_the_overlap_ends()
    {
        var key = Key("a", "new") with { Expires = Now.AddHours(2), Previous = new PreviousKey(KeySecret.Hash("old"), Now.AddHours(1)) };
        KeyRing ring = new([Key("b", "other"), key]);
        Assert.Equal("a", ring.Find("new", Now.AddHours(2).AddTicks(-1))?.Name);
        Assert.Null(ring.Find("new", Now.AddHours(2)));
        Assert.Equal("a", ring.Find("old", Now.AddHours(1).AddTicks(-1))?.Name);
        Assert.Null(ring.Find("old", Now.AddHours(1)));
        Assert.Equal("b", ring.Find("other", Now.AddYears(50))?.Name);
        Assert.Null(ring.Find("", Now));
        Assert.Null(ring.Find("New", Now));
    }

    [Fact]
    public void An_old_secret_never_outlives_its_key()
    {
        var key = Key("a", "new") with { Expires = Now.AddHours(1), Previous = new PreviousKey(KeySecret.Hash("old"), Now.AddHours(2)) };
        Assert.Null(new KeyRing([key]).Find("old", Now.AddHours(1)));
    }

    [Theory]
    [InlineData("k0")]
    [InlineData("k3")]
    [InlineData("k6")]
    [InlineData("expired")]
    [InlineData("none of them")]
    public void Every_hash_is_compared_whichever_one_matches(string secret)
    {
        var compared = 0;
        ApiKey[] keys =
        [
            .. Enumerable.Range(0, 7)
                .Select(i => Key($"k{i}", $"k{i}") with { Previous = new PreviousKey(KeySecret.Hash($"old{i}"), Now.AddHours(1)) }),
            Key("gone", "expired") with { Expires = Now },
        ];
        KeyRing ring = new(keys, (left, right) =>
        {
            compared++;
            return CryptographicOperations.FixedTimeEquals(left, right);
        });
        Assert.Equal(secret.StartsWith('k'), ring.Find(secret, Now) is not null);
        Assert.Equal(15, compared);
    }

    [Fact]
    public void Keys_of_the_command_line_stay_and_those_of_the_source_go_before_them()
    {
        ActiveKeys current = new(["plain", "plain", "both"], hasSource: true);
        Assert.False(current.Loaded.IsCompleted);
        Assert.Equal(["R1_API_KEY", "R1_API_KEY"], current.Ring.Keys.Select(key => key.Name));
        current.Set([Key("named", "both") with { Scopes = AccessScopes.Admin }]);
        Assert.True(current.Loaded.IsCompletedSuccessfully);
        Assert.Equal("named", current.Ring.Find("both", Now)?.Name);
        Assert.Equal(KeySecret.Hash("plain")[..16], current.Ring.Find("plain", Now)?.Id);
        current.Set([]);
        Assert.Equal(AccessScopes.Inference, current.Ring.Find("both", Now)?.Scopes);
    }

    [Fact]
    public void Rotating_keeps_the_id_and_lets_the_old_secret_go_on_for_a_while()
    {
        var old = Key("a", "one") with { Expires = Now.AddHours(30), Limits = new KeyLimits(5) };
        IReadOnlyList<ApiKey> keys = [Key("b", "two"), old];
        var rotated = KeyChanges.Rotate(keys, "a", KeySecret.Hash("three"), TimeSpan.FromHours(24), null, Now)[1];
        Assert.Equal(old with { Sha256 = KeySecret.Hash("three"), Previous = new PreviousKey(old.Sha256, Now.AddHours(24)) }, rotated);
        // Not beyond what the old one had left; and at once where that is wanted.
        Assert.Equal(Now.AddHours(30),
            KeyChanges.Rotate(keys, "a", KeySecret.Hash("three"), TimeSpan.FromHours(48), Now.AddYears(1), Now)[1].Previous!.Expires);
        Assert.Null(KeyChanges.Rotate(keys, "a", KeySecret.Hash("three"), TimeSpan.Zero, null, Now)[1].Previous);
        // What has expired needs to be told for how long.
        Assert.Contains("expired at",
            Assert.Throws<InvalidKeysException>(() => KeyChanges.Rotate(keys, "a", "", TimeSpan.Zero, null, Now.AddHours(31))).Message,
            StringComparison.Ordinal);
        var revived = KeyChanges.Rotate(keys, "a", KeySecret.Hash("three"), TimeSpan.FromHours(24), Now.AddDays(9), Now.AddHours(31))[1];
        Assert.Equal((null, Now.AddDays(9)), (revived.Previous, revived.Expires!.Value));
        Assert.Equal(["b"], KeyChanges.Revoke(keys, "a").Select(key => key.Name));
        Assert.Throws<InvalidKeysException>(() => KeyChanges.Revoke(keys, "c"));
        Assert.Throws<InvalidKeysException>(() => KeyChanges.Create(keys, Key("a", "four")));
    }

    internal static ApiKey Key(string name, string secret) => new(name, KeySecret.NewId(), KeySecret.Hash(secret));
}
