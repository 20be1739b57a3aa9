namespace R1Serverless.Auth;

/// <summary>The keys that count right now: those of the command line and environment, which stay, and those of a source, which change. Safe for
/// several threads.</summary>
internal sealed class ActiveKeys
{
    /// <summary>The name that keys without one go by.</summary>
    public const string PlainName = "R1_API_KEY";

    private readonly IReadOnlyList<ApiKey> _plain;
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile KeyRing _ring;

    /// <param name="plain">Keys as clients send them; they open inference only.</param>
    /// <param name="hasSource">Whether <see cref="Set"/> will be called.</param>
    public ActiveKeys(IReadOnlyList<string> plain, bool hasSource)
    {
        _plain = [.. plain.Select(KeySecret.Hash).Distinct(StringComparer.Ordinal).Select(hash => new ApiKey(PlainName, KeySecret.IdOf(hash), hash))];
        _ring = new KeyRing(_plain);
        if (!hasSource) _loaded.SetResult();
    }

    public KeyRing Ring => _ring;

    /// <summary>Ends when the source's keys have come for the first time.</summary>
    public Task Loaded => _loaded.Task;

    /// <summary>Replaces the source's keys.</summary>
    public void Set(IReadOnlyList<ApiKey> keys)
    {
        // The source knows more about a key than the command line does; and an id that it names may be that of a key from there, to go on with what
        // that owns.
        HashSet<string> ids = new(keys.Select(key => key.Id), StringComparer.Ordinal),
            hashes = new(keys.Select(key => key.Sha256), StringComparer.Ordinal);
        _ring = new KeyRing([.. _plain.Where(key => !ids.Contains(key.Id) && !hashes.Contains(key.Sha256)), .. keys]);
        _loaded.TrySetResult();
    }
}
