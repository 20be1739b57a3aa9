using System.Text;
using Azure;
using Azure.Core;
using Azure.Identity;
using Azure.Security.KeyVault.Secrets;
using R1Serverless.Azure.Storage;
using R1Serverless.Storage;

namespace R1Serverless.Azure.KeyVault;

/// <summary>Keys in one secret of an Azure Key Vault, which holds what a key file holds: 25 kB at most, some sixty keys. Reading needs the role Key
/// Vault Secrets User, changing Key Vault Secrets Officer. Two changes at one moment: the later one counts, a vault can't tell.</summary>
public sealed class VaultKeys : KeySource
{
    private const int NotFound = 404;
    private readonly Uri _address;
    private readonly Lazy<SecretClient> _client;

    /// <param name="address">For which <see cref="IsSecret"/>.</param>
    /// <param name="credential">Null for this process's identity, see <see cref="AzureCredentials"/>.</param>
    /// <param name="options">Null for the usual.</param>
    public VaultKeys(Uri address, TokenCredential? credential = null, SecretClientOptions? options = null)
    {
        _address = address;
        _client = new Lazy<SecretClient>(
            () => new SecretClient(Secret.VaultUri, credential ?? AzureCredentials.Default(), options ?? new SecretClientOptions()));
    }

    public override string Description => _address.AbsoluteUri;

    // Read each time: held in a field it would have the library loaded where keys are in a file.
    private KeyVaultSecretIdentifier Secret => new(_address);

    public override TimeSpan Interval { get; } = TimeSpan.FromMinutes(1);

    public static bool IsSecret(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps && uri.Query.Length == 0
            && uri.AbsolutePath.StartsWith("/secrets/", StringComparison.Ordinal) && KeyVaultSecretIdentifier.TryCreate(uri, out var secret)
            && secret.Name.Length > 0;

    public override async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            KeyVaultSecret secret = await _client.Value.GetSecretAsync(Secret.Name, Secret.Version, outContentType: null, cancellationToken);
            return Encoding.UTF8.GetBytes(secret.Value);
        }
        catch (RequestFailedException fault) when (fault.Status == NotFound)
        {
            return null;
        }
        catch (Exception fault) when (IsOfTheVault(fault, cancellationToken))
        {
            throw Unreachable(fault);
        }
    }

    public override async ValueTask ChangeAsync(Func<ReadOnlyMemory<byte>?, ReadOnlyMemory<byte>> change, CancellationToken cancellationToken)
    {
        if (Secret.Version is { Length: > 0 })
            throw new KeySourceException($"{Description} names one version of the secret, which can't be changed: leave it away.");
        var content = change(await ReadAsync(cancellationToken));
        try
        {
            await _client.Value.SetSecretAsync(Secret.Name, Encoding.UTF8.GetString(content.Span), cancellationToken);
        }
        catch (Exception fault) when (IsOfTheVault(fault, cancellationToken))
        {
            throw Unreachable(fault);
        }
    }

    /// <summary>Whether it refused, did not answer, or was not to be reached; several such faults are those of as many tries.</summary>
    private static bool IsOfTheVault(Exception fault, CancellationToken cancellationToken) => fault switch
    {
        AggregateException { InnerExceptions: [.., { } last] } => IsOfTheVault(last, cancellationToken),
        OperationCanceledException => !cancellationToken.IsCancellationRequested,
        _ => fault is RequestFailedException or AuthenticationFailedException,
    };

    // The first line says what happened; the others repeat the answer with its headers.
    private static KeySourceException Unreachable(Exception fault) =>
        fault is AggregateException { InnerExceptions: [.., { } last] } ? Unreachable(last)
        : new KeySourceException(fault.Message.Split('\n')[0].Trim(), fault);
}
