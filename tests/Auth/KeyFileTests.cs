using System.Runtime.Versioning;
using System.Text;
using R1Serverless.Auth;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Auth;

/// <summary>What a key file may say, and what is said of one that is wrong.</summary>
public sealed class KeyFileTests
{
    private const string Hash = "0000000000000000000000000000000000000000000000000000000000000001";
    private const string Other = "0000000000000000000000000000000000000000000000000000000000000002";

    [Fact]
    public void What_is_written_is_read_again()
    {
        ApiKey[] keys =
        [
            new("team-a", "00000000000000aa", Hash),
            new("ops", "00000000000000bb", Other)
            {
                Scopes = AccessScopes.Admin | AccessScopes.Inference,
                Created = new DateTimeOffset(2026, 11, 24, 5, 0, 0, TimeSpan.Zero),
                Expires = new DateTimeOffset(2027, 2, 22, 5, 0, 0, TimeSpan.Zero),
                Previous = new PreviousKey(new string('3', 64), new DateTimeOffset(2026, 11, 25, 5, 0, 0, TimeSpan.Zero)),
                Limits = new KeyLimits(1, 2, 3, 4),
            },
        ];
        Assert.Equal(keys, KeyFileFormat.Read(KeyFileFormat.Write(keys)));
        Assert.Equal([], KeyFileFormat.Read(KeyFileFormat.Write([])));
    }

    [Theory]
    [InlineData("", "it is not valid JSON")]
    [InlineData("[]", "the file must be")]
    [InlineData("{}", "version is missing")]
    [InlineData("""{"version":2,"keys":[]}""", "version must")]
    [InlineData("""{"version":1}""", "keys is missing")]
    [InlineData("""{"version":1,"keys":[],"more":0}""", "the file has 'more'")]
    [InlineData("""{"version":1,"version":1,"keys":[]}""", "it is not valid JSON")]
    [InlineData("""{"version":1,"keys":["r1_secret"]}""", "keys[0] must")]
    [InlineData("""{"version":1,"keys":[null]}""", "keys[0] must")]
    public void A_wrong_file_is_told_where(string json, string expected) => Assert.StartsWith(expected, Fault(json), StringComparison.Ordinal);

    [Theory]
    [InlineData("name", "\"a b\"", "keys[0].name must")]
    [InlineData("name", "\"-a\"", "keys[0].name must")]
    [InlineData("name", "7", "keys[0].name must")]
    [InlineData("id", "\"1\"", "keys[0].id must")]
    [InlineData("sha256", "\"r1_the-key-itself\"", "keys[0].sha256 must")]
    [InlineData("sha256", "null", "keys[0].sha256 must")]
    [InlineData("expires", "null", "keys[0].expires must")]
    [InlineData("scopes", "[]", "keys[0].scopes must")]
    [InlineData("scopes", "[\"inference\",\"root\"]", "keys[0].scopes must")]
    [InlineData("scopes", "\"admin\"", "keys[0].scopes must")]
    [InlineData("expires", "\"tomorrow\"", "keys[0].expires must")]
    [InlineData("expires", "\"2027-01-31T00:00:00\"", "keys[0].expires must")]
    [InlineData("previous", "{\"sha256\":\"x\"}", "keys[0].previous.sha256 must")]
    [InlineData("previous", "{\"sha256\":\"0000000000000000000000000000000000000000000000000000000000000009\"}",
        "keys[0].previous.expires is missing")]
    [InlineData("limits", "{\"max_concurrent\":0}", "keys[0].limits.max_concurrent must")]
    [InlineData("limits", "{\"requests_per_minute\":1.5}", "keys[0].limits.requests_per_minute must")]
    [InlineData("limits", "{\"tokens_per_hour\":1}", "keys[0].limits has 'tokens_per_hour'")]
    [InlineData("exipres", "\"2027-01-31T00:00:00Z\"", "keys[0] has 'exipres'")]
    [InlineData("r1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "1", "keys[0] has a field")]
    public void A_wrong_field_is_named_and_its_value_is_not(string field, string value, string expected)
    {
        Dictionary<string,
            string> fields =
            new(StringComparer.Ordinal)
            {
                ["name"] = "\"a\"", ["id"] = "\"00000000000000aa\"", ["sha256"] = $"\"{Hash}\"",
                ["scopes"] = "[\"inference\"]", [field] = value
            };
        var said = Fault(File(fields));
        Assert.StartsWith(expected, said, StringComparison.Ordinal);
        Assert.DoesNotContain("r1_", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a", "00000000000000bb", Other, "keys[1].name is the same")]
    [InlineData("b", "00000000000000aa", Other, "keys[1].id is the same")]
    [InlineData("b", "00000000000000bb", Hash, "keys[1].sha256 is the same")]
    public void Two_keys_are_never_the_same(string name, string id, string hash, string expected)
    {
        var json = KeyFileFormat.Write([new("a", "00000000000000aa", Hash), new(name, id, hash)]);
        Assert.StartsWith(expected, Assert.Throws<InvalidKeysException>(() => KeyFileFormat.Read(json)).Message, StringComparison.Ordinal);
    }

    [Fact]
    [SupportedOSPlatform("linux")]
    public async Task A_file_is_replaced_as_a_whole_and_is_its_owners_only()
    {
        var folder = Directory.CreateTempSubdirectory("r1-keys-").FullName;
        try
        {
            var path = Path.Combine(folder, "keys.json");
            KeyFile file = new(path);
            Assert.Null(await file.ReadAsync(CancellationToken.None));
            await file.ChangeAsync(
                before =>
                {
                    Assert.Null(before);
                    return KeyFileFormat.Write([new("a", "00000000000000aa", Hash)]);
                },
                CancellationToken.None);
            Assert.Equal("a", Assert.Single(KeyFileFormat.Read((await file.ReadAsync(CancellationToken.None))!.Value)).Name);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(path));

            // A group that was let in stays in, and a link stays a link.
            System.IO.File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
            var link = Path.Combine(folder, "link.json");
            System.IO.File.CreateSymbolicLink(link, path);
            await new KeyFile(link).ChangeAsync(_ => KeyFileFormat.Write([]), CancellationToken.None);
            Assert.Equal([], KeyFileFormat.Read((await file.ReadAsync(CancellationToken.None))!.Value));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, System.IO.File.GetUnixFileMode(path));
            Assert.NotNull(new FileInfo(link).LinkTarget);

            // A change that fails leaves all as it was, and nothing behind.
            await Assert.ThrowsAsync<InvalidKeysException>(
                () => file.ChangeAsync(_ => throw new InvalidKeysException("no"), CancellationToken.None).AsTask());
            Assert.Equal(["keys.json", "link.json"], Directory.EnumerateFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Two_changes_at_once_never_lose_one()
    {
        var folder = Directory.CreateTempSubdirectory("r1-keys-").FullName;
        try
        {
            var path = Path.Combine(folder, "keys.json");
            await new KeyFile(path).ChangeAsync(
                before =>
                {
                    var second = new KeyFile(path).ChangeAsync(_ => KeyFileFormat.Write([]), CancellationToken.None).AsTask();
                    Assert.Contains("Another command is changing", Assert.IsType<KeySourceException>(second.Exception!.InnerException).Message,
                        StringComparison.Ordinal);
                    return KeyFileFormat.Write([]);
                },
                CancellationToken.None);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_folder_that_is_not_there_is_named()
    {
        var path = Path.Combine(Path.GetTempPath(), $"r1-{Guid.NewGuid():N}", "keys.json");
        var fault = await Assert.ThrowsAsync<KeySourceException>(
            () => new KeyFile(path).ChangeAsync(_ => KeyFileFormat.Write([]), CancellationToken.None).AsTask());
        Assert.Contains(Path.GetDirectoryName(path)!, fault.Message, StringComparison.Ordinal);
    }

    private static string Fault(string json) => Assert.Throws<InvalidKeysException>(() => KeyFileFormat.Read(Encoding.UTF8.GetBytes(json))).Message;

    private static string File(IReadOnlyDictionary<string, string> fields) =>
        $$"""{"version":1,"keys":[{{{string.Join(',', fields.Select(one => $"\"{one.Key}\":{one.Value}"))}}}]}""";
}
