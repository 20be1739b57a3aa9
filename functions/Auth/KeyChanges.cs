namespace R1Serverless.Auth;

/// <summary>What operators do with the keys of a file: all that is checked before anything is written. Errors are <see cref="InvalidKeysException"/>
/// for people to read.</summary>
internal static class KeyChanges
{
    public static IReadOnlyList<ApiKey> Create(IReadOnlyList<ApiKey> keys, ApiKey key) => keys.Any(one => one.Name == key.Name)
        ? throw new InvalidKeysException($"There is a key named {key.Name} already: r1 keys rotate {key.Name} gives it a new secret.")
        : [.. keys, key];

    /// <param name="expires">When the key expires from now on; null leaves it as it was.</param>
    public static IReadOnlyList<ApiKey> Rotate(IReadOnlyList<ApiKey> keys, string name, string sha256, TimeSpan overlap, DateTimeOffset? expires,
        DateTimeOffset now)
    {
        var old = Find(keys, name);
        var end = expires ?? old.Expires;
        if (end <= now)
            throw new InvalidKeysException(
                $"The key {name} expired at {UtcTime.Format(end.Value)}: say with --expires how long the new one is to last.");
        // What has expired stays so.
        var isOver = overlap <= TimeSpan.Zero || old.Expires <= now;
        var until = now + overlap;
        var previous = isOver ? null : new PreviousKey(old.Sha256, old.Expires < until ? old.Expires.Value : until);
        return [.. keys.Select(one => one == old ? old with { Sha256 = sha256, Expires = end, Previous = previous } : one)];
    }

    public static IReadOnlyList<ApiKey> Revoke(IReadOnlyList<ApiKey> keys, string name)
    {
        var old = Find(keys, name);
        return [.. keys.Where(one => one != old)];
    }

    private static ApiKey Find(IReadOnlyList<ApiKey> keys, string name) =>
        keys.FirstOrDefault(one => one.Name == name)
        ?? throw new InvalidKeysException($"There is no key named {name}: r1 keys list shows those that are.");
}
