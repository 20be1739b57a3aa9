using System.Security.Cryptography;
using System.Text.Json;
using R1Serverless.Models;
using R1Serverless.Storage;

namespace R1Serverless.ModelRegistry;

/// <summary>
/// Models that several machines share, in a folder or a blob container: versions, which never change, below <c>models/NAME/versions/</c>, and which
/// of them is to be served in <c>models/NAME/active</c>. Every method may throw <see cref="TransportException"/>.
/// </summary>
/// <param name="description">Where it is, for messages.</param>
public sealed class SharedRepository(IObjectStore store, string description)
{
    /// <summary>What all objects' names begin with.</summary>
    public const string Root = "models/";

    private const string Versions = "/versions/", Active = "/active";

    public string Description => description;

    internal IObjectStore Store => store;

    /// <summary>Every model in it with its versions, in order of their names. Whatever else lies there is passed over.</summary>
    public async Task<IReadOnlyList<(string Model, IReadOnlyList<string> Versions, bool HasActive)>> ListAsync(CancellationToken cancellationToken)
    {
        SortedDictionary<string, (SortedSet<string> Versions, bool HasActive)> models = new(StringComparer.Ordinal);
        await foreach (var entry in store.ListAsync(Root, cancellationToken))
        {
            var parts = entry.Name[Root.Length..].Split('/');
            if (!ModelName.IsValid(parts[0])) continue;
            var known = models.GetValueOrDefault(parts[0], (new SortedSet<string>(StringComparer.Ordinal), false));
            if (parts is [_, "versions", var version, VersionManifest.FileName] && ModelName.IsValid(version)) known.Item1.Add(version);
            if (parts is [_, "active"]) known.Item2 = true;
            models[parts[0]] = known;
        }

        return [.. models.Where(one => one.Value.Versions.Count > 0)
            .Select(one => (one.Key, (IReadOnlyList<string>)[.. one.Value.Versions], one.Value.HasActive))];
    }

    /// <summary>The manifest of a version with the hash of it, which tells this very content from any other of the same names; null if there is no
    /// such version.</summary>
    /// <exception cref="InvalidModelException">The manifest is damaged.</exception>
    public async Task<(VersionManifest Manifest, string Key)?> FindAsync(string model, string version, CancellationToken cancellationToken)
    {
        if (!ModelName.IsValid(model) || !ModelName.IsValid(version)) return null;
        var name = PlaceOf(model, version, VersionManifest.FileName);
        if (await store.GetAsync(name, cancellationToken) is not { } stored) return null;
        var manifest = VersionManifest.Read(stored.Content.Span, $"{name} in {description}");
        if (manifest.Model != model || manifest.Version != version)
            throw new InvalidModelException($"{name} in {description} is of {manifest.Model} {manifest.Version}: it was put in a wrong place.");
        return (manifest, Convert.ToHexStringLower(SHA256.HashData(stored.Content.Span)));
    }

    /// <summary>What is to be served of a model, with the tag to look for changes by; null if nothing was ever activated.</summary>
    /// <exception cref="InvalidModelException">The object is damaged.</exception>
    public async Task<(ActiveVersion Active, string Tag)?> FindActiveAsync(string model, CancellationToken cancellationToken) =>
        ModelName.IsValid(model) && await store.GetAsync(ActiveOf(model), cancellationToken) is { } stored ? (ReadActive(model, stored), stored.Tag)
        : null;

    /// <summary>The same if it has changed since <paramref name="knownTag"/>; null if it has not, or is gone. Costs one small call.</summary>
    /// <exception cref="InvalidModelException">The object is damaged.</exception>
    public async Task<(ActiveVersion Active, string Tag)?> FindActiveChangeAsync(string model, string knownTag,
        CancellationToken cancellationToken) =>
        (await store.GetIfChangedAsync(ActiveOf(model), knownTag, cancellationToken)).Object is { } stored ? (ReadActive(model, stored), stored.Tag)
        : null;

    /// <summary>Lets a version be served from now on, also one that was served before. Where it is active already, workers that could not serve it
    /// try again.</summary>
    /// <param name="by">User and machine.</param>
    /// <param name="mayBeLessAccurate">Whether it may answer fewer right than the version that serves.</param>
    /// <returns>What is active now.</returns>
    /// <exception cref="InvalidDataException">There is no such version, or another was activated at the same time.</exception>
    public async Task<ActiveVersion> ActivateAsync(string model, string version, string by, DateTimeOffset now, CancellationToken cancellationToken,
        bool mayBeLessAccurate = false)
    {
        if (await FindAsync(model, version, cancellationToken) is null)
            throw new InvalidDataException(
                $"There is no version '{version}' of '{model}' in {description}; `r1 model list --from` shows what there is.");
        var stored = await store.GetAsync(ActiveOf(model), cancellationToken);
        string? previous = null;
        try
        {
            previous = stored is null ? null : ReadActive(model, stored).Version;
        }
        catch (InvalidModelException)
        {
            // To activate a version is what mends it.
        }

        ActiveVersion next = new(version, now, by, previous) { LessAccurate = mayBeLessAccurate };
        var condition = stored is { Tag: var tag } ? PutCondition.Unchanged(tag) : PutCondition.Absent;
        return await store.PutAsync(ActiveOf(model), JsonSerializer.SerializeToUtf8Bytes(next, DeliveryJson.Default.ActiveVersion), condition,
            cancellationToken) is not null
            ? next
            : throw new InvalidDataException(
            $"Another version of '{model}' was activated at the same time: look with `r1 model list --from`, and activate again if need be.");
    }

    /// <summary>Where something of a version lies in the store.</summary>
    internal static string PlaceOf(string model, string version, string path) => $"{Root}{model}{Versions}{version}/{path}";

    internal static string ObjectOf(VersionManifest manifest, VersionFile file) =>
        PlaceOf(manifest.Model, manifest.Version, $"{manifest.Folder}/{file.Path}");

    private static string ActiveOf(string model) => $"{Root}{model}{Active}";

    private ActiveVersion ReadActive(string model, StoredObject stored)
    {
        try
        {
            return JsonSerializer.Deserialize(stored.Content.Span, DeliveryJson.Default.ActiveVersion) is { } active
                && ModelName.IsValid(active.Version)
                ? active
                : throw new InvalidModelException($"{ActiveOf(model)} in {description} names no version: activate one.");
        }
        catch (JsonException fault)
        {
            throw new InvalidModelException($"{ActiveOf(model)} in {description} is damaged: activate a version again.", fault);
        }
    }
}
