using System.Security.Cryptography;
using System.Text;
using R1Serverless.Abstractions;

namespace R1Serverless.Warmup;

/// <summary>Lets this process's own requests in before anybody else's, and without a key: they know a secret that was made a moment ago and leaves
/// the process only to itself.</summary>
internal sealed class WarmupPass
{
    public const string Header = "x-r1-warmup";

    private const int SecretBytes = 32;

    private Opened? _opened;

    /// <summary>From now on such requests are answered by <paramref name="inference"/>; the secret that they carry.</summary>
    public string Open(IInference inference)
    {
        var secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(SecretBytes));
        _opened = new Opened(Encoding.ASCII.GetBytes(secret), inference);
        return secret;
    }

    public void Close() => Volatile.Write(ref _opened, null);

    /// <summary>Who answers the request, if it is one of ours.</summary>
    public IInference? Of(HttpRequest request) =>
        Volatile.Read(ref _opened) is { } opened && request.Headers[Header] is [{ } offered]
            && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(offered), opened.Secret)
                ? opened.Inference
                : null;

    private sealed record Opened(byte[] Secret, IInference Inference);
}
