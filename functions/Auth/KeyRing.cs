using System.Security.Cryptography;

namespace R1Serverless.Auth;

/// <summary>Whether two hashes are equal, in a time that does not tell where they differ.</summary>
internal delegate bool HashEquality(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right);

/// <summary>All keys of one moment. Immutable. Every hash is compared whichever one matches, so that the time a guess takes says nothing.</summary>
internal sealed class KeyRing
{
    private readonly byte[] _hashes;
    private readonly (ApiKey Key, DateTimeOffset? Expires)[] _candidates;
    private readonly Dictionary<string, ApiKey> _byId;
    private readonly HashEquality _equal;

    /// <param name="keys">With different hashes and ids.</param>
    public KeyRing(IReadOnlyList<ApiKey> keys, HashEquality? equal = null)
    {
        Keys = keys;
        _equal = equal ?? CryptographicOperations.FixedTimeEquals;
        _byId = keys.ToDictionary(key => key.Id, StringComparer.Ordinal);
        var held = keys.SelectMany(key => Hashes(key).Select(one => (one.Sha256, Key: key, one.Expires))).ToArray();
        _candidates = [.. held.Select(one => (one.Key, one.Expires))];
        _hashes = [.. held.SelectMany(one => Convert.FromHexString(one.Sha256))];
    }

    public IReadOnlyList<ApiKey> Keys { get; }

    /// <summary>Whose key this is; null if it opens nothing now.</summary>
    public ApiKey? Find(ReadOnlySpan<char> secret, DateTimeOffset now)
    {
        Span<byte> offered = stackalloc byte[KeySecret.HashBytes];
        KeySecret.Hash(secret, offered);
        var found = -1;
        for (var i = 0; i < _candidates.Length; i++)
        {
            if (_equal(_hashes.AsSpan(i * KeySecret.HashBytes, KeySecret.HashBytes), offered)) found = i;
        }

        return found >= 0 && !(_candidates[found].Expires <= now) ? _candidates[found].Key : null;
    }

    /// <summary>The key with this id; null if there is none (any more).</summary>
    public ApiKey? WithId(string id) => _byId.GetValueOrDefault(id);

    // A rotated key's old form never outlives the key itself.
    private static IEnumerable<(string Sha256, DateTimeOffset? Expires)> Hashes(ApiKey key)
    {
        yield return (key.Sha256, key.Expires);
        if (key.Previous is { } previous) yield return (previous.Sha256, key.Expires < previous.Expires ? key.Expires : previous.Expires);
    }
}
